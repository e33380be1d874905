// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of perf as events of the host: event_init is OPEN, destroy CLOSE, start ENABLE, stop
 * DISABLE, read READ. An event that follows a task is disabled on the CPU that the task leaves and
 * enabled on the one where it goes on.
 */
#include <linux/idr.h>
#include <linux/io.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>

#include "pvperf_pmu.h"

DEFINE_PER_CPU(struct pv_cpu, pv_cpu);
static DEFINE_IDA(ids);

static void count_refused(int error)
{
	if (error)
		this_cpu_inc(pv_cpu.figures.refused);
}

static u64 wanted_period(const struct perf_event *event)
{
	return event->attr.sample_period ? event->hw.sample_period : 0;
}

/*
 * By frequency perf asks for a slightly different period with each sample: the driver follows in
 * steps of an eighth.
 */
bool pv_period_is_stale(const struct perf_event *event)
{
	u64 current_period = pv_event_of(event)->attr.sample_period, wanted = wanted_period(event);
	u64 difference = max(current_period, wanted) - min(current_period, wanted);

	return difference > (event->attr.freq ? current_period / 8 : 0);
}

void pv_update(struct perf_event *event)
{
	u64 now = READ_ONCE(pv_event_of(event)->shared.count);

	/* An NMI in between adds its part, and what is added here may be negative. */
	local64_add(now - local64_xchg(&event->hw.prev_count, now), &event->count);
}

/* The word of overflows is left alone: what is in it was not taken yet. */
static int open_event(struct perf_event *event)
{
	struct pv_event *pv = pv_event_of(event);
	int ret;

	pv->attr.sample_period = wanted_period(event);
	WRITE_ONCE(pv->shared.count, 0);
	local64_set(&event->hw.prev_count, 0);
	ret = pv_open(&pv->param);
	pv->open = !ret;
	return ret;
}

static void close_event(struct pv_event *pv)
{
	if (pv->open)
		count_refused(pv_op(KVM_PV_PERF_OP_CLOSE, pv->param.id));
	pv->open = false;
}

/* What stands in the word is of the period that was; with a fixed one a sample is a sample. */
static void carry_overflows(struct perf_event *event)
{
	struct pv_event *pv = pv_event_of(event);
	u32 n;

	if (!event->attr.freq)
		return;
	n = xchg(&pv->shared.overflows, 0);
	pv->carried += n;
	pv->carried_period += pv->attr.sample_period * n;
}

/* The interface has no operation that changes a period. */
static int reopen_event(struct perf_event *event)
{
	pv_update(event);
	carry_overflows(event);
	close_event(pv_event_of(event));
	this_cpu_inc(pv_cpu.figures.reopened);
	return open_event(event);
}

static int start_event(struct perf_event *event)
{
	struct pv_event *pv = pv_event_of(event);
	int ret = 0;

	if (!(event->hw.state & PERF_HES_STOPPED))
		return 0;
	if (!pv->open || pv_period_is_stale(event))
		ret = reopen_event(event);
	if (!ret) {
		event->hw.state = 0;
		ret = pv_op(KVM_PV_PERF_OP_ENABLE, pv->param.id);
	}
	if (ret)
		event->hw.state = PERF_HES_STOPPED | PERF_HES_UPTODATE;
	return ret;
}

void pv_start(struct perf_event *event, int flags)
{
	count_refused(start_event(event));
}

void pv_stop_counting(struct perf_event *event)
{
	count_refused(pv_op(KVM_PV_PERF_OP_DISABLE, pv_event_of(event)->param.id));
	event->hw.state = PERF_HES_STOPPED | PERF_HES_UPTODATE;
	if (event->attr.sample_period)
		this_cpu_write(pv_cpu.may_be_empty, true);
	pv_update(event);
}

/*
 * The host retracts the NMI of an event that is disabled, but not its overflows: what no NMI has
 * told of yet is in the word now.
 */
static void take_last_overflows(struct perf_event *event)
{
	u32 n = READ_ONCE(pv_event_of(event)->shared.overflows);
	struct pt_regs here = {};

	if (!n)
		return;
	this_cpu_add(pv_cpu.figures.at_stop, n);
	perf_fetch_caller_regs(&here);
	pv_take_overflows(event, event->attr.exclude_kernel ? task_pt_regs(current) : &here);
}

/* What perf throttles was stopped at an NMI. */
void pv_stop(struct perf_event *event, int flags)
{
	if (event->hw.state & PERF_HES_STOPPED)
		return;
	pv_stop_counting(event);
	take_last_overflows(event);
}

void pv_read(struct perf_event *event)
{
	if (!(event->hw.state & PERF_HES_STOPPED))
		count_refused(pv_op(KVM_PV_PERF_OP_READ, pv_event_of(event)->param.id));
	pv_update(event);
}

static bool needs_counter(const struct perf_event *event)
{
	return pv_event_of(event)->attr.type != PV_TYPE_BREAKPOINT;
}

/*
 * Beyond its counters a CPU takes no event: perf has them take turns then, and scales by the times
 * that it knows.
 */
int pv_add(struct perf_event *event, int flags)
{
	struct pv_cpu *cpu = this_cpu_ptr(&pv_cpu);
	int i, ret = 0;

	if (needs_counter(event) && cpu->counters >= pv_counters)
		return -EAGAIN;
	for (i = 0; i < pv_slots && cpu->active[i]; i++)
		;
	if (i == pv_slots)
		return -EAGAIN;
	event->hw.idx = i;
	event->hw.state = PERF_HES_STOPPED | PERF_HES_UPTODATE;
	/* Once it runs its NMI may come at once. */
	WRITE_ONCE(cpu->active[i], event);
	if (flags & PERF_EF_START)
		ret = start_event(event);
	if (ret) {
		WRITE_ONCE(cpu->active[i], NULL);
		return ret;
	}
	cpu->counters += needs_counter(event);
	perf_event_update_userpage(event);
	return 0;
}

void pv_del(struct perf_event *event, int flags)
{
	struct pv_cpu *cpu = this_cpu_ptr(&pv_cpu);

	pv_stop(event, PERF_EF_UPDATE);
	WRITE_ONCE(cpu->active[event->hw.idx], NULL);
	cpu->counters -= needs_counter(event);
	perf_event_update_userpage(event);
}

static void free_event(struct pv_event *pv)
{
	ida_free(&ids, pv->param.id);
	kfree(pv);
}

static void destroy_event(struct perf_event *event)
{
	struct pv_event *pv = pv_event_of(event);

	close_event(pv);
	this_cpu_add(pv_cpu.figures.never_sampled, pv->shared.overflows + pv->carried);
	free_event(pv);
}

static u64 attr_flags(const struct perf_event_attr *attr)
{
	return BIT_ULL(KVM_PV_PERF_DISABLED) | (u64)attr->exclude_user << KVM_PV_PERF_EXCLUDE_USER |
	       (u64)attr->exclude_kernel << KVM_PV_PERF_EXCLUDE_KERNEL |
	       (u64)attr->exclude_hv << KVM_PV_PERF_EXCLUDE_HV |
	       (u64)attr->exclude_idle << KVM_PV_PERF_EXCLUDE_IDLE;
}

/*
 * Sampling, groups, inheritance and frequencies are perf's own affair: the host sees a counter with
 * a period.
 */
static struct pv_event *new_event(const struct perf_event *event)
{
	struct pv_event *pv = kzalloc(sizeof(*pv), GFP_KERNEL);
	int id;

	if (!pv)
		return ERR_PTR(-ENOMEM);
	id = ida_alloc_min(&ids, 1, GFP_KERNEL);
	if (id < 0) {
		kfree(pv);
		return ERR_PTR(id);
	}
	pv->attr.type = event->attr.type;
	pv->attr.config = event->attr.config;
	pv->attr.flags = attr_flags(&event->attr);
	pv->param.attr_addr = virt_to_phys(&pv->attr);
	pv->param.guest_event_addr = virt_to_phys(&pv->shared);
	pv->param.id = id;
	return pv;
}

/*
 * Nothing runs a guest in here: what shall not count guests counts everything, and what shall not
 * count the host nothing. The host says what it does not know of the rest.
 */
static int check_supported(struct perf_event *event)
{
	if (has_branch_stack(event) || event->attr.precise_ip || event->attr.exclude_host)
		return -EOPNOTSUPP;
	return 0;
}

/* A group that no CPU has counters for would never run. */
static int check_group(struct perf_event *event)
{
	struct perf_event *leader = event->group_leader, *sibling;
	int needed = 1;

	if (leader == event)
		return 0;
	needed += leader->pmu == event->pmu;
	for_each_sibling_event(sibling, leader)
		needed += sibling->pmu == event->pmu;
	return needed > pv_counters ? -EINVAL : 0;
}

/* OPEN. -ENOENT of the host is perf's as well: it has no such event. */
static int open_new_event(struct perf_event *event, struct pv_event *pv)
{
	int ret;

	event->hw.event_base = (unsigned long)pv;
	event->hw.state = PERF_HES_STOPPED | PERF_HES_UPTODATE;
	ret = open_event(event);
	if (ret) {
		free_event(pv);
		return ret;
	}
	event->destroy = destroy_event;
	return 0;
}

int pv_event_init(struct perf_event *event)
{
	struct pv_event *pv;
	int ret;

	if (event->attr.type != PERF_TYPE_HARDWARE && event->attr.type != PERF_TYPE_HW_CACHE &&
	    event->attr.type != PERF_TYPE_RAW)
		return -ENOENT;
	if (event->attr.config1 || event->attr.config2)
		return -EINVAL;
	ret = check_supported(event);
	if (!ret)
		ret = check_group(event);
	if (ret)
		return ret;
	pv = new_event(event);
	if (IS_ERR(pv))
		return PTR_ERR(pv);
	return open_new_event(event, pv);
}

/* config: R 1, W 2, X 4 (bits 0 to 7), and its length (8 to 15); config1: its address. */
int pv_breakpoint_init(struct perf_event *event)
{
	struct pv_event *pv;
	int ret;

	if (event->attr.type != event->pmu->type)
		return -ENOENT;
	if (event->attr.config >> 16 || event->attr.config2)
		return -EINVAL;
	ret = check_supported(event);
	if (ret)
		return ret;
	pv = new_event(event);
	if (IS_ERR(pv))
		return PTR_ERR(pv);
	pv->attr.type = PV_TYPE_BREAKPOINT;
	pv->attr.config = 0;
	pv->attr.bp_type = event->attr.config & 0xff;
	pv->attr.bp_len = event->attr.config >> 8;
	pv->attr.bp_addr = event->attr.config1;
	return open_new_event(event, pv);
}
