/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/host/clock.h"

#include <time.h>
#include <x86intrin.h>

#include "core/host/host.h"

/* Over this time a reading that is 100 ns late makes an error of 5 in 100,000. */
enum { CALIBRATION_NS = 2 * 1000 * 1000 };

void clock_init(struct pv_vm *vm)
{
	vm->clock.first_ns = clock_now(vm);
	vm->clock.first_ticks = __rdtsc();
	pv_u64_store(&vm->clock.ns_per_tick, vm->hooks.ns_per_tick);
}

uint64_t clock_now(const struct pv_vm *vm)
{
	return vm->hooks.now_ns(vm->hooks.context);
}

uint64_t clock_host_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The first to publish wins: a rate that changed would let counts go backwards. */
void clock_calibrate(struct pv_vm *vm)
{
	struct pv_clock *clock = &vm->clock;
	uint64_t ns, ticks;

	if (pv_u64_load(&clock->ns_per_tick))
		return;
	do {
		ns = clock_now(vm) - clock->first_ns;
		ticks = __rdtsc() - clock->first_ticks;
	} while (ns < CALIBRATION_NS);
	pv_u64_set_once(&clock->ns_per_tick, (uint64_t)(((unsigned __int128)ns << 32) / ticks));
}

uint64_t clock_ticks_to_ns(const struct pv_vm *vm, uint64_t ticks)
{
	return (uint64_t)((unsigned __int128)ticks * pv_u64_load(&vm->clock.ns_per_tick) >> 32);
}
