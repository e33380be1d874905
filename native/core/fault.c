/* SPDX-License-Identifier: GPL-2.0-only */
#include "fault.h"

#include "host.h"

/* The finaliser of splitmix64: every bit of the input changes half of the output's. */
static uint64_t scatter(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

bool fault_hits(struct pv_vm *vm, enum pv_fault kind)
{
	uint32_t permille = vm->config.fault_permille[kind];
	uint64_t number;

	if (!permille)
		return false;
	number = pv_u64_add(&vm->faults.asked[kind], 1);
	return scatter(scatter(vm->config.seed + kind) + number * 0x9e3779b97f4a7c15) % 1000 < permille;
}
