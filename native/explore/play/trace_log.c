/* SPDX-License-Identifier: GPL-2.0-only */
/* core/trace/trace.c on fibers: what the core says that it does, in the one order in which it was done. */
#include "core/trace/trace.h"
#include "explore/fibers/schedule.h"
#include "explore/play/world.h"

static struct explore_trace log[SCHEDULE_STEPS];
static uint32_t logged;

void world_trace(void)
{
	logged = 0;
	world.vm->trace.kinds = schedule.tracing ? ~0u : 0;
}

const struct explore_trace *explore_traces(uint32_t *n)
{
	*n = logged;
	return log;
}

void trace_put(const struct pv_vm *vm, enum pv_trace_kind kind, uint32_t vcpu, int32_t id, uint64_t a, uint64_t b)
{
	(void)vm;
	(void)b;
	if (logged < SCHEDULE_STEPS)
		log[logged++] = (struct explore_trace){ .kind = kind, .vcpu = vcpu, .id = id, .a = a };
}

int trace_create(struct pv_vm *vm)
{
	(void)vm;
	return 0;
}

void trace_destroy(struct pv_vm *vm)
{
	(void)vm;
}

struct trace_ring *trace_ring_of(struct pv_vm *vm, uint32_t number)
{
	(void)vm;
	(void)number;
	return NULL;
}

uint64_t trace_lost(const struct pv_vm *vm)
{
	(void)vm;
	return 0;
}

uint32_t trace_take(struct pv_vm *vm, uint32_t number, struct pv_trace_record *to, uint32_t most)
{
	(void)vm;
	(void)number;
	(void)to;
	(void)most;
	return 0;
}
