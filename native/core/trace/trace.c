/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/trace/trace.h"

#include <errno.h>
#include <stddef.h>

#include "core/host/host.h"

int trace_create(struct pv_vm *vm)
{
	const struct pv_host_hooks *hooks = &vm->hooks;
	struct pv_trace *trace = &vm->trace;
	uint64_t capacity = vm->config.trace_records;

	if (!capacity)
		return 0;
	trace->rings = vm->config.vcpus + PV_TRACE_RINGS_BESIDE;
	trace->ring = hooks->alloc(hooks->context, trace->rings * sizeof(*trace->ring));
	trace->records = hooks->alloc(hooks->context, trace->rings * capacity * sizeof(*trace->records));
	if (!trace->ring || !trace->records)
		return -ENOMEM;
	for (uint32_t i = 0; i < trace->rings; i++)
		trace->ring[i].records = trace->records + i * capacity;
	trace->capacity = (uint32_t)capacity;
	trace->kinds = vm->config.trace_kinds;
	return 0;
}

void trace_destroy(struct pv_vm *vm)
{
	vm->hooks.release(vm->hooks.context, vm->trace.ring);
	vm->hooks.release(vm->hooks.context, vm->trace.records);
}

struct trace_ring *trace_ring_of(struct pv_vm *vm, uint32_t number)
{
	return vm->trace.capacity && number < vm->trace.rings ? &vm->trace.ring[number] : NULL;
}

static uint64_t room(const struct trace_ring *ring, uint64_t capacity, uint64_t written)
{
	return capacity - (written - pv_u64_load(&ring->taken));
}

/* Both records of a gap, or neither, so that what was lost is known where it was lost. */
void trace_put(const struct pv_vm *vm, enum pv_trace_kind kind, uint32_t vcpu, int32_t id, uint64_t a, uint64_t b)
{
	struct trace_ring *ring = pv_self()->trace;
	uint64_t capacity = vm->trace.capacity, written, now;

	if (!ring)
		return;
	written = pv_u64_load(&ring->written);
	if (room(ring, capacity, written) < (ring->gap ? 2u : 1u)) {
		ring->gap++;
		pv_u64_count(&ring->lost, 1);
		return;
	}
	now = clock_now(vm);
	if (ring->gap)
		ring->records[written++ % capacity] = (struct pv_trace_record){
			.time_ns = now, .kind = PV_TRACE_LOST, .a = ring->gap };
	ring->gap = 0;
	ring->records[written++ % capacity] = (struct pv_trace_record){
		.time_ns = now, .kind = (uint16_t)kind, .vcpu = (uint16_t)vcpu, .id = id, .a = a, .b = b };
	pv_u64_store(&ring->written, written);
}

uint32_t trace_take(struct pv_vm *vm, uint32_t number, struct pv_trace_record *to, uint32_t most)
{
	struct trace_ring *ring = trace_ring_of(vm, number);
	uint64_t taken, written;
	uint32_t n = 0;

	if (!ring)
		return 0;
	taken = pv_u64_load(&ring->taken);
	written = pv_u64_load(&ring->written);
	while (n < most && taken < written)
		to[n++] = ring->records[taken++ % vm->trace.capacity];
	pv_u64_store(&ring->taken, taken);
	return n;
}

uint64_t trace_lost(const struct pv_vm *vm)
{
	uint64_t lost = 0;

	for (uint32_t i = 0; i < vm->trace.rings && vm->trace.ring; i++)
		lost += pv_u64_load(&vm->trace.ring[i].lost);
	return lost;
}
