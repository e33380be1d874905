/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/host/fault.h"

#include "core/host/host.h"

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

void *fault_alloc(struct pv_vm *vm, uint64_t size)
{
	return fault_hits(vm, PV_FAULT_ALLOC) ? NULL : vm->hooks.alloc(vm->hooks.context, size);
}

/* Mostly as long as an operation takes, now and then as long as the scheduler would keep a thread waiting. */
void fault_delay(struct pv_vm *vm)
{
	enum { SHORTEST_NS = 2000, DOUBLINGS = 9 };

	if (fault_hits(vm, PV_FAULT_DELAY))
		vm->hooks.hold_ns(vm->hooks.context, (uint64_t)SHORTEST_NS
							     << pv_u64_load(&vm->faults.asked[PV_FAULT_DELAY]) % DOUBLINGS);
}
