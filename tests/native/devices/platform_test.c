/* SPDX-License-Identifier: GPL-2.0-only */
#include "platform_test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct pv_platform *pc;
uint64_t now;

void power_on(void)
{
	memset(pc, 0xa5, sizeof(*pc));
	memset(&pc->input, 0, sizeof(pc->input));
	now = 0;
	devices_reset(pc);
}

uint8_t in(uint16_t port)
{
	return (uint8_t)devices_in(pc, now, port, 1);
}

enum devices_exit out(uint16_t port, uint8_t value)
{
	return devices_out(pc, now, port, 1, value);
}

uint64_t pit_ns(uint64_t tick)
{
	const uint64_t hz = 1193182;

	return (tick * second_ns + hz - 1) / hz;
}

void go_to(uint64_t at)
{
	for (uint64_t due; (due = devices_due(pc)) <= at;) {
		CHECK(due > now || !now);
		now = due;
		devices_run(pc, now);
		if (devices_due(pc) <= now) {
			CHECK(!"due again at once");
			break;
		}
	}
	now = at;
	devices_run(pc, now);
}

void pic_init(uint8_t icw4)
{
	out(0x20, 0x11);
	out(0x21, 0x30);
	out(0x21, 1 << 2);
	out(0x21, icw4);
	out(0xa0, 0x11);
	out(0xa1, 0x38);
	out(0xa1, 2);
	out(0xa1, icw4);
	out(0x21, 0);
	out(0xa1, 0);
}

int interrupted(void)
{
	return devices_interrupt(pc) ? devices_acknowledge(pc) : -1;
}

void type(const char *text)
{
	for (; *text; text++)
		pc->input.bytes[pc->input.put++ % PV_CONSOLE_INPUT] = (uint8_t)*text;
	devices_run(pc, now);
}

static void reset_lines(void)
{
	power_on();
	CHECK_EQ(in(0x64) & 3, 1); /* no keyboard: Linux flushes in vain, and does not wait before the reset */
	CHECK_EQ(out(0x64, 0xfd), DEVICES_NONE);
	CHECK_EQ(out(0x64, 0xfe), DEVICES_RESET);
	CHECK_EQ(in(0xcf9), 0);
	CHECK_EQ(out(0xcf9, 2), DEVICES_NONE);
	CHECK_EQ(in(0xcf9), 2);
	CHECK_EQ(devices_out(pc, now, 0xcf9, 4, 6), DEVICES_NONE); /* PCI's */
	CHECK_EQ(devices_in(pc, now, 0xcf9, 2), 0xffff);
	CHECK_EQ(out(0xcf9, 6), DEVICES_RESET);
	CHECK_EQ(out(0xcf9, 6), DEVICES_NONE);
}

static void nobody(void)
{
	power_on();
	CHECK_EQ(out(0x80, 1), DEVICES_NONE);
	CHECK_EQ(in(0x80), 0xff);
	CHECK_EQ(in(0x2f8), 0xff); /* COM2 */
	CHECK_EQ(devices_in(pc, now, 0xcf8, 4), 0xffffffff);
	CHECK_EQ(devices_in(pc, now, 0x2f8, 2), 0xffff);
	CHECK_EQ(devices_in(pc, now, 0x21, 1), 0xff);
	CHECK_EQ(out(0x21, 0x5a), DEVICES_NONE);
	CHECK_EQ(devices_in(pc, now, 0x21, 2), 0xff5a);
	CHECK_EQ(devices_in(pc, now, 0x21, 4), 0xffffff5a);
	CHECK_EQ(devices_out(pc, now, 0x3f8, 4, 0x03020141), DEVICES_CONSOLE);
	CHECK_EQ(in(0x3f9), 0);
	CHECK_EQ(devices_due(pc), UINT64_MAX);
	CHECK(!devices_interrupt(pc));
}

enum { TIMES = 20000 };

static void *add_often(void *vcpu)
{
	for (unsigned i = 0; i < TIMES; i++) {
		devices_lock(pc, (uint32_t)(uintptr_t)vcpu);
		CHECK_EQ(__atomic_load_n(&pc->devices.lock, __ATOMIC_RELAXED), (uintptr_t)vcpu + 1);
		pc->devices.cmos.epoch++;
		devices_unlock(pc);
	}
	return NULL;
}

static void one_at_a_time(void)
{
	enum { THREADS = 4 };
	pthread_t threads[THREADS];

	power_on();
	pc->devices.cmos.epoch = 0;
	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, add_often, (void *)i))
			abort();
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(pc->devices.cmos.epoch, THREADS * TIMES);
	CHECK_EQ(pc->devices.lock, 0);
}

static const struct named_test other_tests[] = {
	{ "reset_lines", reset_lines, false },
	{ "nobody", nobody, false },
	{ "one_at_a_time", one_at_a_time, false },
	{ 0 },
};

int main(int argc, char **argv)
{
	const struct named_test *const suites[] = { uart_tests, pic_tests, pit_tests, cmos_tests, apic_tests, other_tests };
	int ret;

	pc = malloc(sizeof(*pc));
	if (!pc)
		abort();
	ret = run_tests(suites, sizeof(suites) / sizeof(*suites), argc, argv);
	free(pc);
	return ret;
}
