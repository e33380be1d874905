/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The local APIC of a vCPU (Intel SDM vol. 3, chapter 11), which is an x2APIC from the start. The bus clock is the guest's
 * clock, 1 GHz, as CPUID leaf 15h says. Times are that clock's, in ns.
 */
#ifndef PV_APIC_H
#define PV_APIC_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/platform.h"

enum apic_lvt { APIC_LVT_TIMER, APIC_LVT_THERMAL, APIC_LVT_PERF, APIC_LVT_LINT0, APIC_LVT_LINT1, APIC_LVT_ERROR, APIC_LVTS };

#define APIC_NEVER UINT64_MAX

struct apic {
	uint64_t base; /* IA32_APIC_BASE */
	uint64_t isr[4], tmr[4];
	uint32_t tpr, svr, esr, lvt[APIC_LVTS], initial_count, divide;
	uint64_t icr;
	uint64_t timer_started, timer_at; /* of one that runs; APIC_NEVER: it does not */
	uint64_t tsc_deadline;
	uint32_t id, vcpus;
	struct pv_ipi *all; /* of every vCPU */
	/* Something was sent to this vCPU, which is another one. */
	void (*ring)(void *owner, uint32_t vcpu);
	void *owner;
};

/* As after INIT; `bootstrap`: IA32_APIC_BASE says that this is the vCPU that boots. */
void apic_reset(struct apic *apic, bool bootstrap);

/* Register 0x800 + `number` of the x2APIC. False: #GP. */
bool apic_read(struct apic *apic, uint64_t now, uint32_t number, uint64_t *value);
bool apic_write(struct apic *apic, uint64_t now, uint32_t number, uint64_t value);
/* IA32_APIC_BASE and IA32_TSC_DEADLINE. False: #GP. */
bool apic_write_base(struct apic *apic, uint64_t value);
uint64_t apic_read_deadline(const struct apic *apic);
void apic_write_deadline(struct apic *apic, uint64_t now, uint64_t value);

/* The timer's interrupt is raised if it is due. */
void apic_run(struct apic *apic, uint64_t now);
/* The interrupt that would be taken now: its vector, or -1. */
int apic_pending(const struct apic *apic);
/* That interrupt comes into service. */
void apic_acknowledge(struct apic *apic, uint8_t vector);
/* Do interrupts of the 8259A come through, which LINT0 is wired to? */
bool apic_passes_extint(const struct apic *apic);
/* Was an NMI sent? */
bool apic_has_nmi(const struct apic *apic);
/* It counts as taken. */
bool apic_take_nmi(struct apic *apic);

#endif
