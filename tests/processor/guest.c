/* SPDX-License-Identifier: GPL-2.0-only */
/* Each piece at CPL 3, counted by the interface: a line with its counts, and what it has left behind. */
#include "guest.h"
#include "processor.h"

enum { OWN_INSTRUCTIONS = 3, OWN_BRANCHES = 1 }; /* of the piece that does nothing */

uint8_t processor_steps;

static uint8_t *const data = (uint8_t *)PROCESSOR_DATA; /* nothing else lies that high */
static uint64_t registers[PROCESSOR_REGISTERS];
static struct kvm_pmu_event events[2];

static void go_on(struct exception_frame *frame)
{
	frame->rip = frame->r14;
	frame->rsp = frame->r15;
}

static uint64_t run(void *piece)
{
	processor_enter(processor_pieces[(uint64_t)piece], data, registers);
	return 0;
}

static void count(uint64_t piece, uint64_t counts[2])
{
	for (unsigned i = 0; i < 2; i++)
		if (kvm_pmu_enable(&events[i]))
			guest_exit(1);
	counts[0] = kvm_pmu_count(&events[0]);
	counts[1] = kvm_pmu_count(&events[1]);
	user_run(run, (void *)piece);
	for (unsigned i = 0; i < 2; i++) {
		if (kvm_pmu_disable(&events[i]))
			guest_exit(1);
		counts[i] = kvm_pmu_count(&events[i]) - counts[i];
	}
}

int guest_main(void)
{
	const struct kvm_pv_perf_attr attrs[2] = {
		kvm_pmu_attr(PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, false, true),
		kvm_pmu_attr(PV_TYPE_HARDWARE, PV_HW_BRANCH_INSTRUCTIONS, false, true),
	};
	uint64_t nothing[2], counts[2];

	for (unsigned vector = 0; vector < 32; vector++)
		if (vector != VECTOR_NMI && vector != VECTOR_DOUBLE_FAULT)
			exception_set(vector, go_on);
	page_split(PROCESSOR_DATA + PAGE_BYTES);
	page_set_present(PROCESSOR_DATA + PAGE_BYTES, false);
	for (unsigned i = 0; i < 2; i++)
		if (kvm_pmu_open(&events[i], &attrs[i]))
			return 1;
	count(0, nothing);
	for (uint64_t piece = 0; piece < processor_pieces_n; piece++) {
		processor_fill(data);
		count(piece, counts);
		console_printf("%lu %lu %lu %lx\n", piece, counts[0] - nothing[0] + OWN_INSTRUCTIONS,
			       counts[1] - nothing[1] + OWN_BRANCHES, processor_hash(data, registers));
	}
	return 0;
}
