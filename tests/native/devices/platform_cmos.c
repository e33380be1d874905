/* SPDX-License-Identifier: GPL-2.0-only */
/* The clock, by the MC146818's data sheet and Linux's drivers (rtc-mc146818-lib.c, rtc-cmos.c). */
#include "platform_test.h"

#include <stdio.h>
#include <string.h>

enum { A = 10, B = 11, C = 12, D = 13, CENTURY = 0x32 };

static uint8_t get(uint8_t index)
{
	out(0x70, index);
	return in(0x71);
}

static void set(uint8_t index, uint8_t value)
{
	out(0x70, index);
	out(0x71, value);
}

static void check_time(const char *expected)
{
	char text[64];

	snprintf(text, sizeof(text), "%02x%02x-%02x-%02x %02x:%02x:%02x %x", get(CENTURY), get(9), get(8), get(7), get(4),
		 get(2), get(0), get(6));
	if (strcmp(text, expected))
		fprintf(stderr, "%s, not %s\n", text, expected);
	CHECK(!strcmp(text, expected));
}

static void goes_with_the_clock(void)
{
	power_on();
	check_time("2026-06-01 00:00:00 2"); /* a Monday */
	now = 59 * second_ns + 999999999;
	check_time("2026-06-01 00:00:59 2");
	now++;
	check_time("2026-06-01 00:01:00 2");
	now = (30 * 86400ull - 1) * second_ns;
	check_time("2026-06-30 23:59:59 3");
	now += second_ns;
	check_time("2026-07-01 00:00:00 4");
	now = (7 * 30 + 4) * 86400ull * second_ns;
	check_time("2027-01-01 00:00:00 6");
	CHECK_EQ(in(0x70), 0xff);
	CHECK_EQ(get(D), 0x80);
	out(0x70, 0x80 | D); /* with NMIs off */
	CHECK_EQ(in(0x71), 0x80);
	set(0x40, 0x5a);
	CHECK_EQ(get(0x40), 0x5a);
}

/* mc146818_avoid_UIP(): the flag is there 244 us before the time changes, and until it has. */
static void update_in_progress(void)
{
	power_on();
	now = second_ns;
	CHECK_EQ(get(A), 0x26);
	now = 2 * second_ns - 2228001;
	CHECK_EQ(get(A), 0x26);
	now++;
	CHECK_EQ(get(A), 0xa6);
	check_time("2026-06-01 00:00:01 2");
	now = 2 * second_ns - 1;
	CHECK_EQ(get(A), 0xa6);
	set(B, 0x82);
	CHECK_EQ(get(A), 0x26);
	set(A, 0xff);
	CHECK_EQ(get(A), 0x7f);
}

/* mc146818_set_time() */
static void is_set(void)
{
	power_on();
	now = 5 * second_ns + 300;
	set(B, 0x82);
	set(A, 0x76);
	set(9, 0x28);
	set(8, 0x02);
	set(7, 0x28);
	set(4, 0x23);
	set(2, 0x59);
	set(0, 0x58);
	set(CENTURY, 0x20);
	now += 10 * second_ns;
	CHECK_EQ(get(0), 0x58); /* it stands */
	set(B, 0x02);
	set(A, 0x26);
	check_time("2028-02-28 23:59:58 2");
	now += 2 * second_ns;
	check_time("2028-02-29 00:00:00 3");
	now += 86400 * second_ns;
	check_time("2028-03-01 00:00:00 4");
	set(4, 0x05); /* while it goes */
	check_time("2028-03-01 05:00:00 4");
	set(CENTURY, 0x19);
	set(9, 0x00);
	check_time("1970-01-01 00:00:00 5"); /* nothing before */
}

static void ways_to_write_a_time(void)
{
	power_on();
	now = (13 * 3600 + 45 * 60 + 59) * second_ns;
	CHECK_EQ(get(4), 0x13);
	set(B, 0x06); /* binary */
	CHECK_EQ(get(4), 13);
	CHECK_EQ(get(2), 45);
	CHECK_EQ(get(9), 26);
	CHECK_EQ(get(CENTURY), 20);
	set(B, 0x04); /* 12 hours */
	CHECK_EQ(get(4), 0x81);
	set(B, 0);
	CHECK_EQ(get(4), 0x81);
	set(4, 0x12); /* midnight */
	set(B, 2);
	CHECK_EQ(get(4), 0);
	set(B, 0);
	CHECK_EQ(get(4), 0x12);
	set(4, 0x92); /* noon */
	set(B, 2);
	CHECK_EQ(get(4), 0x12);
	set(B, 0);
	set(4, 0x91);
	set(B, 2);
	CHECK_EQ(get(4), 0x23);
}

static int clock_irqs(uint64_t until, uint8_t flags)
{
	int ret = 0;

	while (devices_due(pc) <= until) {
		now = devices_due(pc);
		devices_run(pc, now);
		if (interrupted() == 0x38) {
			CHECK_EQ(get(C), 0x80 | flags);
			ret++;
			out(0xa0, 0x60);
			out(0x20, 0x62);
		}
	}
	return ret;
}

static void interrupts(void)
{
	power_on();
	pic_init(1);
	CHECK_EQ(devices_due(pc), UINT64_MAX);
	now = second_ns / 2;
	set(B, 0x12); /* each update */
	CHECK_EQ(get(C), 0x40); /* periods go by, whether anybody wants them or not */
	set(A, 0x20);
	CHECK_EQ(devices_due(pc), second_ns);
	CHECK_EQ(clock_irqs(10 * second_ns, 0x10), 10);
	set(B, 0x02);
	set(A, 0x26);
	set(B, 0x42); /* 1,024 a second */
	CHECK_EQ(clock_irqs(11 * second_ns - 1, 0x40), 1023);
	CHECK_EQ(get(C), 0);
	set(A, 0x2f); /* 2 a second */
	CHECK_EQ(clock_irqs(11 * second_ns, 0x50), 1);
	CHECK_EQ(clock_irqs(11 * second_ns + second_ns / 2, 0x40), 1);
	set(A, 0x21); /* 256 a second */
	CHECK_EQ(clock_irqs(12 * second_ns - 1, 0x40), 127);
	set(A, 0x20);
	CHECK_EQ(clock_irqs(14 * second_ns, 0), 0);
	/* Not taken: one, until C is read. */
	set(B, 0x12);
	now = 20 * second_ns;
	devices_run(pc, now);
	CHECK_EQ(interrupted(), 0x38);
	out(0xa0, 0x60);
	out(0x20, 0x62);
	CHECK_EQ(devices_due(pc), UINT64_MAX);
	CHECK_EQ(interrupted(), -1);
	CHECK_EQ(get(C), 0x90);
	CHECK_EQ(get(C), 0);
	CHECK_EQ(devices_due(pc), 21 * second_ns);
	set(B, 0x92); /* set: no updates */
	CHECK_EQ(devices_due(pc), UINT64_MAX);
	CHECK_EQ(get(B), 0x82);
}

/* rtc-cmos's wake alarms; and those with bytes that fit all. */
static void alarms(void)
{
	power_on();
	pic_init(1);
	set(A, 0x20);
	set(1, 0x05);
	set(3, 0x01);
	set(5, 0x00);
	set(B, 0x22);
	CHECK_EQ(get(1), 0x05);
	CHECK_EQ(clock_irqs(65 * second_ns - 1, 0x30), 0);
	CHECK_EQ(clock_irqs(65 * second_ns, 0x30), 1);
	CHECK_EQ(clock_irqs(65 * second_ns + 86400 * second_ns - 1, 0x30), 0);
	CHECK_EQ(clock_irqs(65 * second_ns + 86400 * second_ns, 0x30), 1);
	set(3, 0xc0);
	set(5, 0xff);
	CHECK_EQ(clock_irqs((65 + 86400 + 600) * second_ns, 0x30), 10);
	set(5, 0x01);
	set(B, 0x02);
	get(C);
	now += 30 * 86400 * second_ns; /* long gone by: it is seen all the same */
	CHECK_EQ(get(C) & 0x20, 0x20);
	set(5, 0x33);
	now += 30 * 86400 * second_ns;
	CHECK_EQ(get(C) & 0x20, 0);
}

const struct named_test cmos_tests[] = {
	{ "goes_with_the_clock", goes_with_the_clock, false },
	{ "update_in_progress", update_in_progress, false },
	{ "is_set", is_set, false },
	{ "ways_to_write_a_time", ways_to_write_a_time, false },
	{ "interrupts", interrupts, false },
	{ "alarms", alarms, false },
	{ 0 },
};
