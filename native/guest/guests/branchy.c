/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest.h"

GUEST_DESCRIPTION("branches that depend on random data, calls and a jump table; iterations=8000000 seed=1");

static uint64_t iterations, first_seed, results[GUEST_MAX_VCPUS];

static uint64_t rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static __attribute__((noinline)) uint64_t odd(uint64_t x)
{
	return x * 3 + 1;
}

static __attribute__((noinline)) uint64_t even(uint64_t x)
{
	return x / 2;
}

/* One step of a machine whose way is decided by the bits of x. */
static uint64_t step(uint64_t state, uint64_t x)
{
	state = x & 1 ? odd(state) : even(state);
	if (x & 2)
		state ^= x;
	if ((x & 12) == 12)
		state += 7;
	switch (x >> 4 & 7) {
	case 0: return state + x;
	case 1: return state - x;
	case 2: return rotate(state, 5);
	case 3: return ~state;
	case 4: return state ^ 0x5555555555555555;
	case 5: return state > x ? state - x : x - state;
	case 6: return state * 5;
	default: return rotate(state, 17) + 3;
	}
}

static void branchy(void *arg)
{
	uint64_t x = first_seed, state = 0;

	(void)arg;
	for (uint64_t i = 0; i < iterations; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		state = step(state, x);
	}
	results[cpu_index()] = state;
}

int guest_main(void)
{
	option_only("iterations", "seed", NULL);
	iterations = option_number("iterations", 8000000);
	first_seed = option_number("seed", 1);
	if (!first_seed) {
		console_printf("branchy: seed must not be 0\n");
		return STATUS_USAGE;
	}
	smp_run_all(branchy, NULL);
	for (unsigned i = 0; i < cpu_count(); i++)
		if (results[i] != results[0]) {
			console_printf("branchy: vCPU %u: result %lx, not %lx\n", i, results[i], results[0]);
			return 1;
		}
	console_printf("branchy: %u vCPU%s, %lu iterations each, result %lx\n", cpu_count(), plural(cpu_count()),
		       iterations, results[0]);
	return 0;
}
