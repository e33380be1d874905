// SPDX-License-Identifier: GPL-2.0-only
/* The NMI that the host injects: overflows become samples. */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <asm/nmi.h>

#include "pvperf_pmu.h"

static typeof(perf_event_overflow) *overflow;

/*
 * With a fixed period perf counts every sample as that much: there is one for each overflow. By
 * frequency the sample has its period, and perf takes the time since the last one for the rate: so
 * there is one sample for all of them.
 */
static bool sample(struct perf_event *event, struct pt_regs *regs, u64 overflows)
{
	struct pv_event *pv = pv_event_of(event);
	u64 period = pv->attr.sample_period * overflows + pv->carried_period;
	struct perf_sample_data data;

	overflows += pv->carried;
	pv->carried = pv->carried_period = 0;
	event->hw.last_period = period;
	perf_sample_data_init(&data, 0, period);
	this_cpu_add(pv_cpu.figures.overflows, overflows);
	this_cpu_inc(pv_cpu.figures.samples);
	return !overflow(event, &data, regs);
}

/* What is left when perf throttles the event has no sample: that is what throttling means. */
bool pv_take_overflows(struct perf_event *event, struct pt_regs *regs)
{
	u32 left = atomic_xchg((atomic_t *)&pv_event_of(event)->shared.overflows, 0);
	bool go_on = true;

	if (!left)
		return true;
	pv_update(event);
	if (event->attr.freq)
		return sample(event, regs, left);
	while (go_on && left--)
		go_on = sample(event, regs, 1);
	if (!go_on)
		this_cpu_add(pv_cpu.figures.never_sampled, left);
	return go_on;
}

/*
 * An NMI may find nothing if the one before has taken what it stood for; and the host retracts the
 * NMI of an event that is disabled, but not every design of it does. Such an NMI is swallowed, one
 * behind each that found something and one behind a stop. Any other is left to those who know it.
 */
static int pv_nmi(unsigned int type, struct pt_regs *regs)
{
	struct pv_cpu *cpu = this_cpu_ptr(&pv_cpu);
	int handled = 0, i;

	for (i = 0; i < pv_slots; i++) {
		struct perf_event *event = READ_ONCE(cpu->active[i]);

		/* What perf throttles must not be sampled before it is started again. */
		if (!event || (event->hw.state & PERF_HES_STOPPED) ||
		    !READ_ONCE(pv_event_of(event)->shared.overflows))
			continue;
		handled++;
		if (!pv_take_overflows(event, regs)) {
			pv_stop_counting(event);
		} else if (pv_period_is_stale(event)) {
			pv_stop_counting(event);
			pv_start(event, PERF_EF_RELOAD);
		}
	}
	if (handled) {
		cpu->figures.nmis++;
		cpu->may_be_empty = true;
	} else if (cpu->may_be_empty) {
		cpu->figures.empty_nmis++;
		cpu->may_be_empty = false;
		handled = NMI_HANDLED;
	}
	return handled;
}
NOKPROBE_SYMBOL(pv_nmi);

/* perf does not export it to modules. A probe that is never armed knows where it is. */
static int find_overflow(void)
{
	struct kprobe probe = { .symbol_name = "perf_event_overflow", .flags = KPROBE_FLAG_DISABLED };
	int ret = register_kprobe(&probe);

	if (ret)
		return ret;
	overflow = (void *)probe.addr;
	unregister_kprobe(&probe);
	return 0;
}

int pv_sample_init(void)
{
	int ret = find_overflow();

	return ret ? ret : register_nmi_handler(NMI_LOCAL, pv_nmi, 0, KBUILD_MODNAME);
}

void pv_sample_exit(void)
{
	unregister_nmi_handler(NMI_LOCAL, KBUILD_MODNAME);
}
