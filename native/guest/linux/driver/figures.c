// SPDX-License-Identifier: GPL-2.0-only
/* What the driver did, in /sys/bus/event_source/devices/cpu/pvperf/. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/device.h>
#include <linux/sysfs.h>

#include "pvperf_pmu.h"

static u64 sum(size_t offset)
{
	u64 ret = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		ret += READ_ONCE(*(u64 *)((void *)&per_cpu(pv_cpu, cpu).figures + offset));
	return ret;
}

#define SUM(name) sum(offsetof(struct pv_figures, name))

#define FIGURE(name) \
	static ssize_t name##_show(struct device *dev, struct device_attribute *attr, char *page) \
	{ \
		return sysfs_emit(page, "%llu\n", SUM(name)); \
	} \
	static DEVICE_ATTR_RO(name)

FIGURE(nmis);
FIGURE(empty_nmis);
FIGURE(overflows);
FIGURE(samples);
FIGURE(at_stop);
FIGURE(never_sampled);
FIGURE(reopened);
FIGURE(refused);

static struct attribute *attrs[] = {
	&dev_attr_nmis.attr,
	&dev_attr_empty_nmis.attr,
	&dev_attr_overflows.attr,
	&dev_attr_samples.attr,
	&dev_attr_at_stop.attr,
	&dev_attr_never_sampled.attr,
	&dev_attr_reopened.attr,
	&dev_attr_refused.attr,
	NULL
};

const struct attribute_group pv_figures_group = { .name = "pvperf", .attrs = attrs };

void pv_figures_print(void)
{
	pr_info("%llu overflows, %llu of them at stops, by %llu NMIs and %llu empty ones: %llu samples, %llu never sampled; %llu refused\n",
		SUM(overflows), SUM(at_stop), SUM(nmis), SUM(empty_nmis), SUM(samples), SUM(never_sampled),
		SUM(refused));
}
