/* SPDX-License-Identifier: GPL-2.0-only */
/* Ways out of the guest: hypercalls, CPUID, ports, HLT. */
#ifndef GUEST_HYPERCALL_H
#define GUEST_HYPERCALL_H

#include "kvm_pv_perf.h"

/* RAX number, RBX, RCX, RDX arguments; the result. */
static inline int64_t hypercall(uint64_t number, uint64_t b, uint64_t c, uint64_t d)
{
	__asm__ volatile("vmcall" : "+a"(number) : "b"(b), "c"(c), "d"(d) : "memory");
	return (int64_t)number;
}

/* KVM_PERF_OP with an id. */
static inline int64_t perf_op(uint64_t op, int32_t id)
{
	return hypercall(KVM_PERF_OP, op, (uint32_t)id, 0);
}

/* KVM_PERF_OP OPEN with the parameter block at this gpa. */
static inline int64_t perf_open(gpa_t param)
{
	return hypercall(KVM_PERF_OP, KVM_PV_PERF_OP_OPEN, (uint32_t)param, param >> 32);
}

/* The same, OPEN2. */
static inline int64_t perf_open2(gpa_t param)
{
	return hypercall(KVM_PERF_OP, KVM_PV_PERF_OP_OPEN2, (uint32_t)param, param >> 32);
}

/* Ends a halt() of that vCPU: the present one, or else the next. */
static inline int64_t kick(unsigned vcpu)
{
	return hypercall(KVM_HC_KICK_CPU, 0, vcpu, 0);
}

/* Parks this vCPU until an NMI or a kick. */
static inline void halt(void)
{
	__asm__ volatile("hlt" : : : "memory");
}

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf)
{
	struct cpuid ret;

	__asm__ volatile("cpuid"
			 : "=a"(ret.eax), "=b"(ret.ebx), "=c"(ret.ecx), "=d"(ret.edx)
			 : "a"(leaf), "c"(0));
	return ret;
}

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "d"(port) : "memory");
}

#endif
