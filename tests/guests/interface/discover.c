/* SPDX-License-Identifier: GPL-2.0-only */
/* CPUID leaves and boot information. Options: what they must say. */
#include "guest.h"

static struct cpuid leaves[GUEST_MAX_VCPUS][3];

static void read_leaves(void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < 3; i++)
		leaves[cpu_index()][i] = cpuid(KVM_CPUID_SIGNATURE + i);
}

static void test_boot(void)
{
	const struct pv_boot_info *info = boot_info();

	report(memcmp(info->magic, "PVPERF01", 8) == 0, "magic");
	report(info->version == PV_BOOT_VERSION, "version %u", info->version);
	report(info->vcpus == option_number("vcpus", info->vcpus), "%u vCPUs", info->vcpus);
	report(info->ram_size % 4096 == 0 && info->ram_size == option_number("ram", info->ram_size),
	       "RAM of %lu bytes", info->ram_size);
	report(info->first_free > (uint64_t)leaves && info->first_free < info->ram_size, "first free gpa 0x%lx",
	       info->first_free);
}

int guest_main(void)
{
	bool feature = option_number("feature", 1), same = true;
	struct cpuid *leaf = leaves[0];

	option_only("vcpus", "ram", "feature", "max_events", "counters", NULL);
	smp_run_all(read_leaves, NULL);
	for (unsigned i = 1; i < cpu_count(); i++)
		same &= memcmp(leaves[i], leaves[0], sizeof(leaves[0])) == 0;
	report(same, "the same on every vCPU");
	test_boot();
	report(cpuid(1).ecx >> 31 & 1, "leaf 1 says that there is a hypervisor");
	report(leaf[0].eax == KVM_CPUID_PV_PERF, "max leaf 0x%x", leaf[0].eax);
	report(memcmp(&leaf[0].ebx, "KVMKVMKVM\0\0\0", 12) == 0, "signature");
	report((leaf[1].eax >> KVM_FEATURE_PV_PERF & 1) == feature, "feature bit %u",
	       leaf[1].eax >> KVM_FEATURE_PV_PERF & 1);
	if (feature) {
		report(leaf[2].eax && leaf[2].eax == option_number("max_events", leaf[2].eax), "%u events at most",
		       leaf[2].eax);
		report(leaf[2].ebx && leaf[2].ebx == option_number("counters", leaf[2].ebx), "%u counters", leaf[2].ebx);
		report(leaf[2].ecx == KVM_PV_PERF_ABI_VERSION, "ABI version %u", leaf[2].ecx);
	} else {
		report(!leaf[2].eax && !leaf[2].ebx && !leaf[2].ecx, "nothing in the leaf of a feature that is off");
	}
	return report_summary();
}
