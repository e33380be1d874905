/* SPDX-License-Identifier: GPL-2.0-only */
/* What CPUID says, all of it: exactly what there is. */
#ifndef PV_CPUID_H
#define PV_CPUID_H

#include <stdint.h>

struct cpu;

/* EAX, EBX, ECX and EDX. `xcr0` is what the guest has set. */
void cpuid_answer(struct cpu *cpu, uint64_t xcr0, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
/* The components of XSAVE that a guest may turn on. */
uint64_t cpuid_xcr0(const struct cpu *cpu);

#endif
