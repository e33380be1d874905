/* SPDX-License-Identifier: GPL-2.0-only */
/* When the time of a vCPU stands still: in the agent, and for task clocks in HLT. */
#include "host.h"

/* Does the clock of an event that samples stand still? One that counts at no level always does. */
static bool clock_stands(const struct pmu *pmu, const struct host_event *event)
{
	return !event->source.kernel || pmu->frozen || (pmu->parked && event->source.kind == SOURCE_TASK_CLOCK);
}

void pmu_clock_start(struct pv_vcpu *vcpu, struct host_event *event)
{
	struct pmu_value value;

	if (!pmu_is_clock(event) || !event->overflow.period || !event->running || clock_stands(&vcpu->pmu, event))
		return;
	value = pmu_read(vcpu, event);
	clock_event_arm(vcpu, event, pmu_count(event, &value));
}

void pmu_clock_stop(struct pv_vcpu *vcpu, struct host_event *event)
{
	if (pmu_is_clock(event) && event->overflow.period)
		clock_event_disarm(vcpu, event);
}

/* Time stops, or goes on, for clocks that sample. */
static void group_clocks_update(struct pv_vcpu *vcpu, struct host_event *leader)
{
	for_each_member(event, leader) {
		if (clock_stands(&vcpu->pmu, event))
			pmu_clock_stop(vcpu, event);
		else
			pmu_clock_start(vcpu, event);
	}
}

static void clocks_update(struct pv_vcpu *vcpu)
{
	for (struct host_event *leader = vcpu->pmu.fixed.first; leader; leader = leader->behind)
		group_clocks_update(vcpu, leader);
	for (struct host_event *leader = vcpu->pmu.rotating.first; leader; leader = leader->behind)
		group_clocks_update(vcpu, leader);
}

/* A vCPU that is given up in guest mode has no counts that could be read: its time freezes. */
void pmu_freeze(struct pv_vcpu *vcpu)
{
	struct pmu *pmu = &vcpu->pmu;

	if (pmu->frozen)
		return;
	for (int c = 0; c < PV_COUNTS && vcpu->mode == VCPU_HOST; c++)
		for (int cpl = 0; cpl < PV_CPLS; cpl++)
			pmu->frozen_count[c][cpl] = vcpu->run->count[c][cpl];
	pmu->frozen_ns = clock_now(vcpu->vm);
	pmu->frozen = true;
	pmu->rearm = true;
	clocks_update(vcpu);
}

/* The instruction that exits is the agent's last one: it retires on entry, and is hidden too.
 * Until it has, readings are that little lower than they were when frozen. */
void pmu_unfreeze(struct pv_vcpu *vcpu)
{
	struct pmu *pmu = &vcpu->pmu;
	const struct pv_run *run = vcpu->run;

	if (!pmu->frozen)
		return;
	for (int c = 0; c < PV_COUNTS_AT_EXIT; c++)
		pmu->hidden_count[c][run->cpl ? PV_CPL_USER : PV_CPL_KERNEL] += run->retire[c];
	for (int c = 0; c < PV_COUNTS; c++) {
		for (int cpl = 0; cpl < PV_CPLS; cpl++)
			pmu->hidden_count[c][cpl] += run->count[c][cpl] - pmu->frozen_count[c][cpl];
	}
	pmu->hidden_ns += clock_now(vcpu->vm) - pmu->frozen_ns;
	pmu->frozen = false;
	pmu->rearm = true;
	clocks_update(vcpu);
}

void pmu_park(struct pv_vcpu *vcpu, bool parked)
{
	struct pmu *pmu = &vcpu->pmu;

	if (parked && !pmu->parked)
		pmu->parked_since = pmu_now(vcpu);
	else if (!parked && pmu->parked)
		pmu->parked_ns += pmu_now(vcpu) - pmu->parked_since;
	pmu->parked = parked;
	clocks_update(vcpu);
}
