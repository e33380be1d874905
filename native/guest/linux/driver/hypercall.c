// SPDX-License-Identifier: GPL-2.0-only
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/string.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>

#include "hypercall.h"

/*
 * KVM's signature and feature bit alone do not tell: today's KVM has another feature there. The
 * leaf behind them does.
 */
int pv_discover(void)
{
	u32 highest, signature[3], features, limit, counters, version, unused;

	if (!boot_cpu_has(X86_FEATURE_HYPERVISOR))
		return -ENODEV;
	cpuid(KVM_CPUID_SIGNATURE, &highest, &signature[0], &signature[1], &signature[2]);
	if (highest < KVM_CPUID_PV_PERF || memcmp(signature, "KVMKVMKVM\0\0\0", 12))
		return -ENODEV;
	cpuid(KVM_CPUID_FEATURES, &features, &unused, &unused, &unused);
	if (!(features & BIT(KVM_FEATURE_PV_PERF)))
		return -ENODEV;
	cpuid(KVM_CPUID_PV_PERF, &limit, &counters, &version, &unused);
	if (!version || !limit || !counters || counters > INT_MAX)
		return -ENODEV;
	return counters;
}

static int hypercall(unsigned long op, unsigned long rcx, unsigned long rdx)
{
	long ret;

	asm volatile("vmcall"
		     : "=a"(ret)
		     : "a"((long)KVM_PERF_OP), "b"(op), "c"(rcx), "d"(rdx)
		     : "memory");
	return ret == -KVM_ENOSYS ? -ENODEV : ret;
}

int pv_op(enum kvm_pv_perf_op op, s32 id)
{
	return hypercall(op, (u32)id, 0);
}

int pv_open(const struct kvm_pv_perf_event_param *param)
{
	phys_addr_t gpa = virt_to_phys((void *)param);

	return hypercall(KVM_PV_PERF_OP_OPEN, lower_32_bits(gpa), upper_32_bits(gpa));
}
