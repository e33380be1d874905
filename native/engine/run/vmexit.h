/* SPDX-License-Identifier: GPL-2.0-only */
/* Leaves guest mode: fills the run page, hands the CPU to the host, acts on its answer. */
#ifndef PV_VMEXIT_H
#define PV_VMEXIT_H

#include <stdbool.h>
#include <stdint.h>

#include <unicorn/unicorn.h>

struct cpu;
struct pv_engine;

struct vmexit {
	bool out_exited; /* the out that Unicorn is about to execute */
	uint64_t port_rip; /* of the access to a port that Unicorn is about to execute */
};

/* Unicorn's hooks; `data` is the engine. */
int on_cpuid(uc_engine *uc, void *data);
uint32_t on_in(uc_engine *uc, uint32_t port, int size, void *data);
void on_out(uc_engine *uc, uint32_t port, int size, uint32_t value, void *data);

void vmexit_ready(struct pv_engine *e);
/* The host's answer to an exit of the agent's, in front of `rip` of the guest: it was no resumption. */
void vmexit_sent_elsewhere(struct pv_engine *e, uint64_t rip, bool in_block);
/* True: the vCPU goes on where it was; false: it was sent elsewhere, or stopped. */
bool vmexit_kick(struct pv_engine *e, uint64_t rip, bool in_block);
bool vmexit_overflow(struct pv_engine *e, uint64_t rip, bool in_block);
bool vmexit_out(struct pv_engine *e, uint64_t rip, uint32_t port, uint32_t size, uint32_t value);
void vmexit_hlt(struct pv_engine *e);
/* The vmcall of that length at `rip`, taken out of its block. */
void vmexit_hypercall(struct pv_engine *e, uint64_t rip, unsigned length);
/* Acts on an answer of the host's that could not be acted on when it came. */
void vmexit_late_entry(struct pv_engine *e, uint64_t rip, bool in_block);
/* As in struct cpu_calls. */
void vmexit_shutdown(struct cpu *cpu, unsigned vector, uint32_t error, const char *why);
void vmexit_failed(struct cpu *cpu);

#endif
