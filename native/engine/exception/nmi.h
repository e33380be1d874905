/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * NMIs of the guest (Intel SDM vol. 3, 6.7): through its IDT, one in service from
 * delivery to IRET, one more latched meanwhile. Counters stand still in between.
 */
#ifndef PV_NMI_H
#define PV_NMI_H

#include <stdbool.h>
#include <stdint.h>

struct cpu;

struct nmi {
	bool pending;    /* came, and waits to be delivered */
	bool in_service; /* from delivery to IRET: another one waits */
};

void nmi_inject(struct nmi *nmi, struct cpu *cpu);
/* Delivers a pending one at `rip` if nothing blocks it: true. */
bool nmi_deliver(struct nmi *nmi, struct cpu *cpu, uint64_t rip, bool in_block);
/* An iret was executed. */
void nmi_end(struct nmi *nmi, struct cpu *cpu);
void nmi_abandon(struct nmi *nmi, struct cpu *cpu);

/* Does one wait for nothing but the next boundary? */
static inline bool nmi_is_due(const struct nmi *nmi)
{
	return nmi->pending && !nmi->in_service;
}

#endif
