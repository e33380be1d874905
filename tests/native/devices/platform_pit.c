/* SPDX-License-Identifier: GPL-2.0-only */
/* The timer, by the 8254's wave forms: what its output and its count are, tick by tick. */
#include "platform_test.h"

#include <stdio.h>

enum { CONTROL = 0x43, GATED = 2, GATE_PORT = 0x61, LATCH_OF_HZ_100 = 11932 };

static bool output(void)
{
	return in(GATE_PORT) >> 5 & 1;
}

static void gate(bool high)
{
	out(GATE_PORT, high);
}

/* Channel 2's count: both bytes, latched. */
static unsigned count(void)
{
	unsigned low;

	out(CONTROL, 0x80);
	low = in(0x42);
	return low | (unsigned)in(0x42) << 8;
}

static void write_count(unsigned value)
{
	out(0x42, (uint8_t)value);
	out(0x42, (uint8_t)(value >> 8));
}

static void at_tick(uint64_t tick)
{
	now = pit_ns(tick);
}

/* Output and count at each tick from `tick` on; a count of -1 is any. */
struct expected {
	int output, count;
};

static void follow(const char *what, uint64_t tick, const struct expected *expected, unsigned ticks)
{
	for (unsigned i = 0; i < ticks; i++) {
		at_tick(tick + i);
		if (output() != expected[i].output || (expected[i].count >= 0 && count() != (unsigned)expected[i].count))
			fprintf(stderr, "%s: tick %u\n", what, i);
		CHECK_EQ(output(), expected[i].output);
		if (expected[i].count >= 0)
			CHECK_EQ(count(), expected[i].count);
	}
}

static void start(uint8_t mode, bool high)
{
	power_on();
	gate(high);
	at_tick(100);
	out(CONTROL, (uint8_t)(0xb0 | mode << 1));
}

static void mode_0(void)
{
	static const struct expected once[] = { { 0, 3 }, { 0, 2 }, { 0, 1 }, { 1, 0 }, { 1, 0xffff }, { 1, 0xfffe } };
	static const struct expected held[] = { { 0, 3 }, { 0, 3 }, { 0, 3 } };
	static const struct expected resumed[] = { { 0, 2 }, { 0, 1 }, { 1, 0 } };

	start(0, true);
	CHECK(!output());
	at_tick(120);
	CHECK(!output());
	write_count(3); /* loaded with the next tick */
	follow("mode 0", 121, once, 6);
	out(0x42, 5); /* the first of two bytes stops it */
	CHECK(!output());
	at_tick(140);
	CHECK(!output());
	out(0x42, 0);
	at_tick(143);
	CHECK_EQ(count(), 3);
	gate(false);
	follow("gate low", 144, held, 3);
	gate(true);
	follow("gate high", 147, resumed, 3);
	/* Written while the gate is low: loaded, but not counted. */
	gate(false);
	write_count(2);
	at_tick(200);
	CHECK_EQ(count(), 2);
	CHECK(!output());
	gate(true);
	at_tick(202);
	CHECK(output());
}

static void mode_1(void)
{
	static const struct expected shot[] = { { 0, 3 }, { 0, 2 }, { 0, 1 }, { 1, 0 }, { 1, 0xffff } };
	static const struct expected again[] = { { 0, 3 }, { 0, 2 }, { 0, 3 }, { 0, 2 }, { 0, 1 }, { 1, 0 } };

	start(1, false);
	CHECK(output());
	write_count(3);
	at_tick(120);
	CHECK(output());
	gate(true);
	CHECK(output());
	follow("mode 1", 121, shot, 5);
	gate(false);
	CHECK(output());
	gate(true);
	follow("triggered", 126, again, 1);
	at_tick(127);
	gate(false);
	gate(true);
	follow("triggered again", 128, again + 2, 4);
	/* A new count does not change the one that runs. */
	gate(false);
	gate(true);
	at_tick(133);
	write_count(5);
	at_tick(135);
	CHECK(output());
	gate(false);
	gate(true);
	at_tick(140);
	CHECK(!output());
	at_tick(141);
	CHECK(output());
}

static void mode_2(void)
{
	static const struct expected rate[] = { { 1, 3 }, { 1, 2 }, { 0, 1 }, { 1, 3 }, { 1, 2 }, { 0, 1 }, { 1, 3 } };
	static const struct expected longer[] = { { 1, 2 }, { 0, 1 }, { 1, 5 }, { 1, 4 }, { 1, 3 }, { 1, 2 }, { 0, 1 },
						  { 1, 5 } };

	start(2, true);
	CHECK(output());
	write_count(3);
	follow("mode 2", 101, rate, 7);
	write_count(5); /* from the next period on */
	follow("written", 108, longer, 8);
	at_tick(119);
	CHECK_EQ(count(), 1);
	CHECK(!output());
	gate(false); /* at once */
	CHECK(output());
	at_tick(130);
	CHECK_EQ(count(), 1);
	gate(true);
	at_tick(131);
	CHECK_EQ(count(), 5);
	at_tick(135);
	CHECK(!output());
	/* Written while the gate is low: that is what its rising loads. */
	gate(false);
	write_count(2);
	gate(true);
	at_tick(137);
	CHECK(!output());
}

static void mode_3(void)
{
	static const struct expected even[] = { { 1, 4 }, { 1, 2 }, { 0, 4 }, { 0, 2 }, { 1, 4 }, { 1, 2 }, { 0, 4 } };
	static const struct expected odd[] = { { 1, 4 }, { 1, 2 }, { 1, 0 }, { 0, 4 }, { 0, 2 }, { 1, 4 } };
	static const struct expected half[] = { { 0, 2 }, { 1, 2 }, { 0, 2 }, { 1, 2 } };
	static const struct expected low[] = { { 1, 2 }, { 0, 4 }, { 0, 2 }, { 1, 4 }, { 1, 2 }, { 0, 4 } };

	start(3, true);
	write_count(4);
	follow("mode 3, 4", 101, even, 7);
	write_count(2); /* in the half that is low: from its end on */
	follow("written when low", 108, half, 4);
	start(3, true);
	write_count(4);
	at_tick(101);
	write_count(4);
	follow("written when high", 102, low, 6);
	start(3, true);
	write_count(5);
	follow("mode 3, 5", 101, odd, 6);
	at_tick(109);
	CHECK(!output());
	gate(false);
	CHECK(output());
	at_tick(120);
	gate(true);
	follow("gate high", 121, odd, 6);
}

static void mode_4(void)
{
	static const struct expected strobe[] = { { 1, 2 }, { 1, 1 }, { 0, 0 }, { 1, 0xffff }, { 1, 0xfffe } };

	start(4, true);
	CHECK(output());
	write_count(2);
	follow("mode 4", 101, strobe, 5);
	write_count(2);
	at_tick(106);
	gate(false);
	at_tick(120);
	CHECK(output());
	CHECK_EQ(count(), 2);
	gate(true);
	at_tick(122);
	CHECK(!output());
	at_tick(123);
	CHECK(output());
}

static void mode_5(void)
{
	static const struct expected strobe[] = { { 1, 2 }, { 1, 1 }, { 0, 0 }, { 1, 0xffff } };

	start(5, false);
	write_count(2);
	at_tick(120);
	CHECK(output());
	gate(true);
	follow("mode 5", 121, strobe, 4);
	gate(false);
	gate(true);
	follow("again", 125, strobe, 4);
}

static void whole_range(void)
{
	start(2, true);
	write_count(0); /* 65,536 */
	at_tick(101);
	CHECK_EQ(count(), 0);
	at_tick(102);
	CHECK_EQ(count(), 0xffff);
	at_tick(101 + 65535);
	CHECK(!output());
	at_tick(101 + 65536);
	CHECK(output());
	power_on();
	gate(true);
	out(CONTROL, 0xb1); /* mode 0, BCD */
	write_count(0x1000);
	at_tick(1);
	CHECK_EQ(count(), 0x1000);
	at_tick(2);
	CHECK_EQ(count(), 0x0999);
	at_tick(1001);
	CHECK(output());
	CHECK_EQ(count(), 0);
	at_tick(1002);
	CHECK_EQ(count(), 0x9999);
	write_count(0); /* 10,000 */
	at_tick(1003 + 9999);
	CHECK(!output());
	at_tick(1003 + 10000);
	CHECK(output());
}

static void access_modes(void)
{
	power_on();
	gate(true);
	out(CONTROL, 0x90 | 2 << 1); /* the low byte alone */
	out(0x42, 200);
	at_tick(1);
	CHECK_EQ(in(0x42), 200);
	at_tick(3);
	CHECK_EQ(in(0x42), 198);
	CHECK_EQ(in(0x42), 198);
	out(CONTROL, 0xa0 | 2 << 1); /* the high byte alone */
	out(0x42, 2);
	at_tick(4);
	CHECK_EQ(in(0x42), 2);
	at_tick(5);
	CHECK_EQ(in(0x42), 1);
	out(CONTROL, 0x80);
	at_tick(300);
	CHECK_EQ(in(0x42), 1); /* latched: one byte */
	CHECK_EQ(in(0x42), 0);
	out(CONTROL, 0xb0 | 2 << 1); /* both, not latched: each as it is then */
	write_count(0x200);
	at_tick(301);
	CHECK_EQ(in(0x42), 0);
	at_tick(302);
	CHECK_EQ(in(0x42), 1);
	CHECK_EQ(in(0x42), 0xff);
	CHECK_EQ(in(CONTROL), 0xff);
	out(CONTROL, 0x80);
	at_tick(303);
	out(CONTROL, 0x80); /* latched already */
	CHECK_EQ(in(0x42), 0xff); /* from the low byte on */
	out(0x42, 7);
	CHECK_EQ(in(0x42), 1); /* reading and writing do not mix */
}

static void read_back(void)
{
	start(3, true);
	out(CONTROL, 0xe8); /* the status of channel 2 */
	CHECK_EQ(in(0x42), 0x80 | 0x40 | 0x36); /* nothing was loaded */
	write_count(10);
	out(CONTROL, 0xe8);
	CHECK_EQ(in(0x42), 0xc0 | 0x36);
	at_tick(101);
	out(CONTROL, 0xe8);
	at_tick(107);
	out(CONTROL, 0xe8); /* not before the first one was read */
	CHECK_EQ(in(0x42), 0x80 | 0x36);
	out(CONTROL, 0xc8); /* status and count, in that order */
	at_tick(111);
	CHECK_EQ(in(0x42), 0x36);
	CHECK_EQ(in(0x42), 8);
	CHECK_EQ(in(0x42), 0);
	CHECK_EQ(in(0x42), 10);
	CHECK_EQ(in(0x42), 0);
	write_count(6);
	out(CONTROL, 0xe8);
	CHECK_EQ(in(0x42), 0xc0 | 0x36); /* not before the half period's end */
	at_tick(116);
	out(CONTROL, 0xe8);
	CHECK_EQ(in(0x42), 0x36);
	/* Of two channels at once. */
	out(CONTROL, 0x34);
	out(0x40, 100);
	out(0x40, 0);
	at_tick(120);
	out(CONTROL, 0xda);
	at_tick(140);
	CHECK_EQ(in(0x40), 100 - 3);
	CHECK_EQ(in(0x40), 0);
	CHECK_EQ(in(0x42), 6 - 2);
	CHECK_EQ(in(0x42), 0);
}

/* pit_calibrate_tsc() waits for 50 ms by channel 2; quick_pit_calibrate() watches its high byte. */
static void linux_calibrates(void)
{
	const unsigned latch = 59659;
	uint64_t began;

	power_on();
	now = 12345;
	out(GATE_PORT, (in(GATE_PORT) & ~2) | 1);
	out(CONTROL, 0xb0);
	write_count(latch);
	for (began = now; !(in(GATE_PORT) & 0x20); now += 100)
		;
	CHECK(now - began >= 49999000 && now - began <= 50001000);
	out(CONTROL, 0xb0);
	write_count(0xffff);
	now += 1000;
	in(0x42);
	CHECK_EQ(in(0x42), 0xff);
	now += second_ns * 256 / 1193182;
	in(0x42);
	CHECK_EQ(in(0x42), 0xfe);
	CHECK_EQ(in(GATE_PORT) & 0xc3, 1); /* no reason for an NMI */
}

static int ticks_taken(uint64_t until, uint64_t *last)
{
	int ret = 0;

	while (devices_due(pc) <= until) {
		now = devices_due(pc);
		devices_run(pc, now);
		if (interrupted() == 0x30) {
			ret++;
			*last = now;
			out(0x20, 0x60);
		}
	}
	return ret;
}

/* clockevent_i8253: 100 interrupts a second. */
static void linux_ticks(void)
{
	uint64_t last = 0;

	power_on();
	pic_init(1);
	out(CONTROL, 0x30); /* its output falls: no interrupt */
	CHECK_EQ(interrupted(), -1);
	out(CONTROL, 0x34);
	CHECK_EQ(interrupted(), 0x30); /* and rises */
	out(0x20, 0x60);
	out(0x40, LATCH_OF_HZ_100 & 0xff);
	out(0x40, LATCH_OF_HZ_100 >> 8);
	CHECK_EQ(devices_due(pc), pit_ns(1 + LATCH_OF_HZ_100));
	CHECK_EQ(ticks_taken(10 * second_ns, &last), 999);
	CHECK_EQ(last, pit_ns(1 + 999 * LATCH_OF_HZ_100));
	/* Nobody has looked for a while: one is pending, and the next one keeps the beat. */
	now = pit_ns(1 + 1500ull * LATCH_OF_HZ_100 + 5000);
	devices_run(pc, now);
	CHECK_EQ(interrupted(), 0x30);
	out(0x20, 0x60);
	CHECK_EQ(interrupted(), -1);
	CHECK_EQ(devices_due(pc), pit_ns(1 + 1501ull * LATCH_OF_HZ_100));
	/* One-shot, and shut down. */
	out(CONTROL, 0x38);
	out(0x40, 100);
	out(0x40, 0);
	last = devices_due(pc);
	CHECK_EQ(interrupted(), -1);
	CHECK_EQ(ticks_taken(20 * second_ns, &last), 1);
	CHECK_EQ(last, pit_ns(1 + 1500ull * LATCH_OF_HZ_100 + 5000 + 1 + 100 + 1));
	CHECK_EQ(devices_due(pc), UINT64_MAX);
	now = 20 * second_ns;
	out(CONTROL, 0x30);
	CHECK_EQ(devices_due(pc), UINT64_MAX);
	out(0x40, 0);
	out(0x40, 0);
	CHECK_EQ(ticks_taken(30 * second_ns, &last), 1); /* as any PC's, 55 ms later */
	CHECK_EQ(ticks_taken(60 * second_ns, &last), 0);
}

/* A count for channel 0 that is changed under way. */
static void ticks_change(void)
{
	uint64_t last = 0;

	power_on();
	pic_init(1);
	out(CONTROL, 0x34);
	interrupted();
	out(0x20, 0x60);
	out(0x40, 100);
	out(0x40, 0);
	CHECK_EQ(ticks_taken(pit_ns(350), &last), 3);
	CHECK_EQ(last, pit_ns(301));
	now = pit_ns(350);
	out(0x40, 200);
	out(0x40, 0);
	CHECK_EQ(ticks_taken(pit_ns(900), &last), 3); /* 401, 601, 801 */
	CHECK_EQ(last, pit_ns(801));
	out(CONTROL, 0x36);
	out(0x40, 10);
	out(0x40, 0);
	CHECK_EQ(devices_due(pc), pit_ns(801 + 1 + 10));
	now = pit_ns(803);
	out(0x40, 4);
	out(0x40, 0); /* 802 to 807 high; then 2 low, and again */
	CHECK_EQ(ticks_taken(pit_ns(809), &last), 1);
	CHECK_EQ(last, pit_ns(809));
	CHECK_EQ(devices_due(pc), pit_ns(813));
}

const struct named_test pit_tests[] = {
	{ "mode_0", mode_0, false },
	{ "mode_1", mode_1, false },
	{ "mode_2", mode_2, false },
	{ "mode_3", mode_3, false },
	{ "mode_4", mode_4, false },
	{ "mode_5", mode_5, false },
	{ "whole_range", whole_range, false },
	{ "access_modes", access_modes, false },
	{ "read_back", read_back, false },
	{ "linux_calibrates", linux_calibrates, false },
	{ "linux_ticks", linux_ticks, false },
	{ "ticks_change", ticks_change, false },
	{ 0 },
};
