/* SPDX-License-Identifier: GPL-2.0-only */
/* When the time of a vCPU stands still: in the agent, and for task clocks in HLT. */
#include "core/events/reading.h"
#include "core/host/host.h"

/* A clock that counts at no level always stands, and where it counts at one alone it cannot sample. */
static bool samples_time(const struct host_event *event)
{
	return pmu_is_clock(event) && event->overflow.period && event->source.kernel;
}

void pmu_clock_start(struct pv_vcpu *vcpu, struct host_event *event)
{
	struct pmu_value value;
	uint64_t now;

	if (!samples_time(event))
		return;
	now = pmu_now(vcpu);
	value = pmu_read_at(vcpu, event, now);
	clock_event_arm(vcpu, event, pmu_count(event, &value), pmu_reading_at(vcpu, event, now).part[0]);
}

void pmu_clock_stop(struct pv_vcpu *vcpu, struct host_event *event)
{
	if (samples_time(event))
		clock_event_disarm(vcpu, event);
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
	clock_events_stop(vcpu, CLOCK_CPU);
	pmu->frozen_ns = clock_now(vcpu->vm);
	pmu->frozen = true;
	pmu->rearm = true;
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
	clock_events_go_on(vcpu);
}

void pmu_park(struct pv_vcpu *vcpu, bool parked)
{
	struct pmu *pmu = &vcpu->pmu;

	if (parked == pmu->parked)
		return;
	if (parked) {
		clock_events_stop(vcpu, CLOCK_TASK);
		pmu->parked_since = pmu_now(vcpu);
		pmu->parked = true;
		return;
	}
	pmu->parked_ns += pmu_now(vcpu) - pmu->parked_since;
	pmu->parked = false;
	clock_events_go_on(vcpu);
}
