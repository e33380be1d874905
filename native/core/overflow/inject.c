/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/overflow/inject.h"

#include "core/host/host.h"

void inject_init(struct pv_vcpu *vcpu)
{
	vcpu->owed.round = 1;
}

static uint32_t *count_of(struct pv_vcpu *vcpu, const struct host_event *event)
{
	return event->agent ? &vcpu->owed.agents : &vcpu->owed.events;
}

void inject_owe(struct pv_vcpu *vcpu, struct host_event *event)
{
	if (event->owed_in == vcpu->owed.round)
		return;
	event->owed_in = vcpu->owed.round;
	++*count_of(vcpu, event);
}

void inject_leave(struct pv_vcpu *vcpu, struct host_event *event)
{
	bool owed = event->owed_in == vcpu->owed.round;

	event->owed_in = 0;
	if (!owed || vcpu->vm->design->keeps_nmis || PV_CANARY(nmi_outlives_its_event))
		return;
	--*count_of(vcpu, event);
	event->owed_elsewhere = true;
}

void inject_arrive(struct pv_vcpu *vcpu, struct host_event *event)
{
	if (event->owed_elsewhere && !PV_CANARY(nmi_stays_behind))
		inject_owe(vcpu, event);
	event->owed_elsewhere = false;
}

void inject_forget(struct host_event *event)
{
	event->owed_elsewhere = false;
}

uint32_t inject_take(struct pv_vcpu *vcpu)
{
	uint32_t ret = (vcpu->owed.events ? PV_INJECT_NMI : 0) | (vcpu->owed.agents ? PV_INJECT_AGENT_NMI : 0);

	if (ret)
		vcpu->owed = (struct owed_nmis){ .round = vcpu->owed.round + 1 };
	return ret;
}
