/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Design "posted": the mail's code, with what is wrong in it. The places are marked with the
 * numbers that the review and docs/findings give the defects:
 *
 *  1 overflows are gone when the guest write after the exchange fails;
 *  2 OPEN of a duplicate id leaks a slot of the limit, and two buffers;
 *  3 the limit is read, then incremented: two vCPUs pass together;
 *  4 the second allocation's check tests the first pointer;
 *  5 the overflow list is sized by hardware counters, not by the event limit;
 *  6 sample_type is never copied, host failures are -1, the limit error is -ENOENT;
 *  7 the event stays bound to the thread that opened it;
 *  8 bp_addr reaches a breakpoint of the host;
 *  9 the guest's event is written back whole after a read.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "core/designs/design_per_vm.h"
#include "core/designs/find.h"
#include "core/events/reading.h"
#include "core/host/host.h"
#include "core/overflow/delivery.h"

/* What was allocated and forgotten; in Linux it would be gone until the next boot. */
struct leaked {
	struct leaked *next;
};

struct buffer {
	struct leaked leaked;
	struct kvm_pv_perf_attr attr;
};

static void leak(struct pv_vm *vm, struct buffer *buffer)
{
	void *head;

	if (!buffer)
		return;
	do {
		head = pv_ptr_load(&vm->leaked);
		buffer->leaked.next = head;
	} while (!pv_ptr_replace(&vm->leaked, head, buffer));
	pv_u64_add(&vm->ledger.leaked_buffers, 1);
}

static void posted_destroy(struct pv_vm *vm)
{
	struct leaked *leaked = pv_ptr_load(&vm->leaked), *next;

	for (; leaked; leaked = next) {
		next = leaked->next;
		vm->hooks.release(vm->hooks.context, leaked);
	}
	per_vm_destroy(vm);
}

static int posted_insert(struct pv_vm *vm, struct pv_vcpu *vcpu, struct host_event *event)
{
	struct event_table *table = event->agent ? vm->agent_events.table : vm->table;
	struct host_event **head = &table->bucket[table_index(table, event->id)];

	(void)vcpu;
	pv_spin_lock(&table->lock);
	event->bucket_next = *head;
	*head = event;
	pv_spin_unlock(&table->lock);
	return 0;
}

/* 6, 8: what the guest asks for goes to the host's perf, and its failures are all the same. */
static int64_t create_posted(struct pv_vcpu *vcpu, const struct kvm_pv_perf_event_param *param,
			     const struct kvm_pv_perf_attr *from, struct kvm_pv_perf_attr *attr)
{
	struct pv_vm *vm = vcpu->vm;
	struct event_source source;
	struct host_event *event;

	attr->type = from->type;
	attr->config = from->config;
	attr->sample_period = from->sample_period;
	attr->read_format = from->read_format;
	attr->flags = from->flags & ~(1ull << KVM_PV_PERF_INHERIT | 1ull << KVM_PV_PERF_ENABLE_ON_EXEC |
				      1ull << KVM_PV_PERF_EXCLUDE_USER | 1ull << KVM_PV_PERF_EXCLUDE_KERNEL);
	attr->bp_type = from->bp_type;
	attr->bp_addr = from->bp_addr;
	attr->bp_len = from->bp_len;
	if (attr_validate(attr, &source))
		return -1;
	if (attr->type == PV_TYPE_BREAKPOINT)
		source = (struct event_source){ .kind = SOURCE_DUMMY }; /* no guest access hits it */
	event = event_create(vm, param->id, param->guest_event_addr, &source);
	if (!event)
		return -ENOMEM;
	if (attr->type == PV_TYPE_BREAKPOINT)
		pv_u64_add(&vm->ledger.host_breakpoints, 1);
	event->agent = vcpu_in_agent(vcpu);
	event->opener = vcpu;
	posted_insert(vm, vcpu, event);
	trace(vm, PV_TRACE_OPEN, vcpu->index, param->id, 0, 0);
	return 0;
}

/* 2, 4: this is the mail's kvm_pv_perf_op_open(), from its allocations on. */
static int64_t open_posted(struct pv_vcpu *vcpu, gpa_t addr, struct buffer *attr, struct buffer *guest_attr)
{
	struct pv_vm *vm = vcpu->vm;
	const struct guest_mem *mem = owner_mem(vm, vcpu_in_agent(vcpu));
	struct kvm_pv_perf_event_param param;
	struct host_event *event;
	int64_t ret;

	ret = guest_copy_in(mem, addr, &param, sizeof(param));
	if (ret < 0)
		return ret;
	event = owner_get(vcpu, param.id); /* whichever vCPU opened it */
	if (event) {
		vm->design->put(event);
		return -PV_EEXIST;
	}
	pv_point("posted open: no duplicate found");
	if (!guest_attr)
		pv_panic("%s in OPEN writes through a null pointer: guest_attr was not checked", pv_self()->name);
	ret = guest_copy_in(mem, param.attr_addr, &guest_attr->attr, sizeof(guest_attr->attr));
	if (ret < 0)
		return ret;
	return create_posted(vcpu, &param, &guest_attr->attr, &attr->attr);
}

static int64_t posted_open(struct pv_vcpu *vcpu, gpa_t addr)
{
	struct pv_vm *vm = vcpu->vm;
	struct open_events *open = vcpu_in_agent(vcpu) ? &vm->agent_events.open : &vm->open_events;
	struct pv_host_hooks *hooks = &vm->hooks;
	struct buffer *attr, *guest_attr;
	int64_t ret;

	if (pv_u32_load(&open->open) >= open->limit)
		return -PV_ENOENT;
	pv_point("posted open: limit checked");
	open_events_count(open); /* 3 */
	attr = fault_alloc(vm, sizeof(*attr));
	guest_attr = attr ? fault_alloc(vm, sizeof(*guest_attr)) : NULL;
	ret = attr ? open_posted(vcpu, addr, attr, guest_attr) : -ENOMEM;
	if (ret == -PV_EEXIST) {
		leak(vm, attr);
		leak(vm, guest_attr);
		return ret;
	}
	hooks->release(hooks->context, attr);
	hooks->release(hooks->context, guest_attr);
	if (ret)
		open_events_release(open);
	return ret;
}

/* 7 */
static struct pv_vcpu *posted_place(struct pv_vcpu *vcpu, struct host_event *event)
{
	(void)vcpu;
	return event->opener;
}

/* 5 */
static void posted_queue(struct pv_vcpu *vcpu, struct host_event *event)
{
	uint32_t slots = vcpu->vm->config.counters;

	if (!event->queued && vcpu->queue.length >= slots)
		pv_panic("%s writes overflow_events[%u] for event %d, and there are %u", pv_self()->name,
			 vcpu->queue.length, event->id, slots);
	queue_add(vcpu, event);
}

/* 1, 9: the mail's kvm_copy_event_to_guest(). A failure is not told to anyone. */
static int posted_deliver(const struct guest_mem *mem, struct host_event *event, const struct pmu_value *value,
			  uint64_t *delivered)
{
	struct kvm_pv_perf_event counter;
	uint64_t n;

	*delivered = 0;
	if (guest_copy_in(owner_mem(event->vm, event->agent), event->guest_addr, &counter, sizeof(counter)))
		return 0;
	n = pv_u64_exchange(&event->shadow.overflows, 0);
	pv_point("posted deliver: between read and write");
	counter.count = pmu_count(event, value);
	counter.overflows = (int32_t)((uint32_t)counter.overflows + (uint32_t)n);
	if (guest_copy_out(mem, event->guest_addr, &counter, sizeof(counter)))
		return 0;
	pv_u64_add(&event->vm->ledger.delivered, n);
	*delivered = n;
	return 0;
}

/* The mail's kvm_copy_count_to_guest(): overflows that are in the shadow stay there. */
static int posted_finish(const struct guest_mem *mem, struct host_event *event, const struct pmu_value *value,
			 uint64_t *delivered)
{
	*delivered = 0;
	deliver_count(mem, event, value);
	return 0;
}

const struct pv_design design_posted = {
	.name = "posted",
	.abi_version = 1,
	.keeps_nmis = true,
	.create = per_vm_create,
	.destroy = posted_destroy,
	.figures = per_vm_figures,
	.open = posted_open,
	.insert = posted_insert,
	.get = per_vm_get,
	.remove = per_vm_remove,
	.release = event_put,
	.hold = event_get,
	.put = event_put,
	.place = posted_place,
	.queue = posted_queue,
	.deliver = posted_deliver,
	.finish = posted_finish,
};
