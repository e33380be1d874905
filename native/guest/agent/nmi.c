/* SPDX-License-Identifier: GPL-2.0-only */
#include "nmi.h"

#include "atomic.h"
#include "chain.h"
#include "pmu/hypercall.h"
#include "slots.h"

_Noreturn void agent_nmi(uint32_t vcpu, const struct pv_agent_config *config);

/* False: no room. */
static bool sample_write(const struct nmi *nmi, uint32_t event, uint32_t overflows, uint64_t count, uint64_t period)
{
	uint32_t room = sizeof(struct pv_sample) + nmi->max_chain * (uint32_t)sizeof(uint64_t);
	struct pv_sample *sample = ring_reserve(&nmi->ring, room);
	uint32_t chain;

	if (!sample)
		return false;
	chain = chain_walk(&nmi->walk, nmi->frame, (uint64_t *)(sample + 1), nmi->max_chain);
	sample->size = (uint16_t)(sizeof(*sample) + chain * sizeof(uint64_t));
	sample->event = (uint16_t)event;
	sample->chain = (uint16_t)chain;
	sample->kind = PV_SAMPLE;
	sample->cpl = nmi->frame->cs & 3;
	sample->overflows = overflows;
	sample->vcpu = nmi->vcpu;
	sample->ip = nmi->frame->rip;
	sample->time_ns = nmi->frame->time_ns;
	sample->period = period;
	sample->count = count;
	ring_commit(&nmi->ring, sample);
	return true;
}

/*
 * A sample that finds no room leaves `counted` as it was, so that the next one that is
 * written carries its period, too: the periods always add up to what was counted.
 */
void nmi_take(const struct nmi *nmi, struct pv_agent_slot *slot, uint32_t event)
{
	uint32_t n = (uint32_t)atomic_exchange(&slot->event.overflows, 0);
	uint64_t count;

	if (!n)
		return;
	slot->taken += n;
	if (!nmi->ring.shared)
		return;
	count = atomic_load(&slot->event.count);
	slot->samples++;
	if (sample_write(nmi, event, n, count, count - slot->counted))
		slot->counted = count;
}

_Noreturn void agent_nmi(uint32_t vcpu, const struct pv_agent_config *config)
{
	struct pv_agent_slot *slots = slots_of(vcpu, config);
	gpa_t ring = config->rings ? config->rings + vcpu * config->ring_stride : 0;
	struct nmi nmi = {
		.vcpu = vcpu,
		.max_chain = config->max_chain,
		.frame = (const struct pv_agent_frame *)config->frames + vcpu,
		.ring = { .shared = (struct pv_sample_ring *)ring, .bytes = config->ring_bytes },
		.walk = { .ram = 0, .ram_size = config->ram_size },
	};

	nmi.walk.cr3 = nmi.frame->cr3;
	for (uint32_t i = 0; i < config->events; i++)
		nmi_take(&nmi, &slots[i], i);
	for (;;)
		hypercall(PV_HC_AGENT_IRET, 0, 0, 0);
}
