// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest driver of the paravirtual perf interface (KVM_PERF_OP, June 2010), as pvperf has it: Linux's
 * CPU PMU. The driver of real PMUs has found none, as it says at boot: its name and type are free.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/slab.h>
#include <linux/version.h>

#include "pvperf_pmu.h"

int pv_counters, pv_slots;

PMU_FORMAT_ATTR(event, "config:0-7");
PMU_FORMAT_ATTR(umask, "config:8-15");
PMU_FORMAT_ATTR(type, "config:0-7");
PMU_FORMAT_ATTR(len, "config:8-15");
PMU_FORMAT_ATTR(addr, "config1:0-63");

static struct attribute *format_attrs[] = { &format_attr_event.attr, &format_attr_umask.attr, NULL };
static const struct attribute_group format_group = { .name = "format", .attrs = format_attrs };

static struct attribute *breakpoint_format_attrs[] = {
	&format_attr_type.attr, &format_attr_len.attr, &format_attr_addr.attr, NULL
};
static const struct attribute_group breakpoint_format_group = {
	.name = "format", .attrs = breakpoint_format_attrs,
};

PMU_EVENT_ATTR_STRING(cpu-cycles, cycles, "event=0x3c");
PMU_EVENT_ATTR_STRING(instructions, instructions, "event=0xc0");
PMU_EVENT_ATTR_STRING(ref-cycles, ref_cycles, "event=0x3c,umask=0x01");
PMU_EVENT_ATTR_STRING(cache-references, cache_references, "event=0x2e,umask=0x4f");
PMU_EVENT_ATTR_STRING(cache-misses, cache_misses, "event=0x2e,umask=0x41");
PMU_EVENT_ATTR_STRING(branch-instructions, branches, "event=0xc4");
PMU_EVENT_ATTR_STRING(branch-misses, branch_misses, "event=0xc5");

static struct attribute *event_attrs[] = {
	&cycles.attr.attr,
	&instructions.attr.attr,
	&ref_cycles.attr.attr,
	&cache_references.attr.attr,
	&cache_misses.attr.attr,
	&branches.attr.attr,
	&branch_misses.attr.attr,
	NULL
};
static const struct attribute_group event_group = { .name = "events", .attrs = event_attrs };

static const struct attribute_group *groups[] = {
	&format_group, &event_group, &pv_figures_group, NULL
};
static const struct attribute_group *breakpoint_groups[] = { &breakpoint_format_group, NULL };

static const struct pmu counters_pmu = {
	.module = THIS_MODULE,
	.attr_groups = groups,
	.event_init = pv_event_init,
	.add = pv_add,
	.del = pv_del,
	.start = pv_start,
	.stop = pv_stop,
	.read = pv_read,
#ifdef PERF_PMU_CAP_HETEROGENEOUS_CPUS
	/* Until 6.2 the hardware's context is given away once, and not again to a second load. */
	.capabilities = PERF_PMU_CAP_HETEROGENEOUS_CPUS,
#endif
};

static struct pmu breakpoint_pmu = {
	.module = THIS_MODULE,
	.task_ctx_nr = perf_sw_context,
	.attr_groups = breakpoint_groups,
	.event_init = pv_breakpoint_init,
	.add = pv_add,
	.del = pv_del,
	.start = pv_start,
	.stop = pv_stop,
	.read = pv_read,
};

/*
 * Until 6.2 a task that was counted keeps a context with a pointer to the PMU for as long as it
 * lives, and perf goes by what it finds there: so the PMU stays when the module goes, with a counter
 * of its own in the place of the one that is freed.
 */
static struct pmu *pmu;
static int __percpu *disable_count;

static void forget_pmu(void)
{
	if (LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)) {
		free_percpu(disable_count);
		kfree(pmu);
		return;
	}
	pmu->pmu_disable_count = disable_count;
}

static int register_pmus(void)
{
	int ret = -ENOMEM;

	pmu = kmemdup(&counters_pmu, sizeof(counters_pmu), GFP_KERNEL);
	disable_count = alloc_percpu(int);
	if (!pmu || !disable_count)
		goto free;
	ret = perf_pmu_register(pmu, "cpu", PERF_TYPE_RAW);
	if (ret)
		goto free;
	ret = perf_pmu_register(&breakpoint_pmu, "pvperf_breakpoint", -1);
	if (!ret)
		return 0;
	perf_pmu_unregister(pmu);
free:
	free_percpu(disable_count);
	kfree(pmu);
	return ret;
}

static void unregister_pmus(void)
{
	perf_pmu_unregister(&breakpoint_pmu);
	perf_pmu_unregister(pmu);
	forget_pmu();
}

static void free_slots(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		kfree(per_cpu(pv_cpu, cpu).active);
}

static int alloc_slots(void)
{
	int cpu;

	pv_slots = pv_counters + PV_BREAKPOINT_SLOTS;
	for_each_possible_cpu(cpu) {
		per_cpu(pv_cpu, cpu).active =
			kcalloc_node(pv_slots, sizeof(struct perf_event *), GFP_KERNEL, cpu_to_node(cpu));
		if (!per_cpu(pv_cpu, cpu).active) {
			free_slots();
			return -ENOMEM;
		}
	}
	return 0;
}

static int __init pvperf_init(void)
{
	int ret;

	pv_counters = pv_discover();
	if (pv_counters < 0) {
		pr_err("this hypervisor has no paravirtual perf interface\n");
		return pv_counters;
	}
	ret = alloc_slots();
	if (ret)
		return ret;
	ret = pv_power_init();
	if (ret)
		goto slots;
	ret = pv_sample_init();
	if (ret)
		goto power;
	ret = register_pmus();
	if (ret)
		goto sample;
	pr_info("paravirtual PMU with %d counters\n", pv_counters);
	return 0;
sample:
	pv_sample_exit();
power:
	pv_power_exit();
slots:
	free_slots();
	pr_err("not there: error %d\n", ret);
	return ret;
}

/* perf holds the module for as long as there is an event. */
static void __exit pvperf_exit(void)
{
	unregister_pmus();
	pv_sample_exit();
	pv_power_exit();
	pv_figures_print();
	free_slots();
}

module_init(pvperf_init);
module_exit(pvperf_exit);
MODULE_DESCRIPTION("Paravirtual PMU by KVM_PERF_OP");
MODULE_LICENSE("GPL");
