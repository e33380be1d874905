/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Each image at CPL 3, counted by the interface; on every vCPU at a time, each in memory of its own at the same address. A line
 * with what has retired, and what it has left behind. Options: first=0, the image to begin with; last=N; wide=0.
 */
#include "guest.h"
#include "image.h"
#include "images.h"
#include "line.h"

enum { LARGE_PAGE = 2 << 20, TABLE_ENTRIES = 512, PAGE_FLAGS = 0x87, TABLE_FLAGS = 7 };

struct run {
	struct kvm_pmu_event events[2];
	uint64_t counts[2];
	char line[LINE_MOST];
	uint64_t fault[3]; /* vector + 1, error code, RIP */
};

static struct run runs[GUEST_MAX_VCPUS];
static bool wide;

static void take_fault(struct exception_frame *frame)
{
	struct image *image = image_at_base();
	uint64_t *fault = runs[cpu_index()].fault;

	if (frame->cs & 3 && !fault[0]) {
		fault[0] = frame->vector + 1;
		fault[1] = frame->error;
		fault[2] = frame->rip;
		frame->rip = image->behind;
		return;
	}
	console_printf("fault in a fault: vector %lu at 0x%lx\n", frame->vector, frame->rip);
	guest_exit(1);
}

/* Two large pages at IMAGE_BASE become this vCPU's own. */
static void own_memory(void *unused)
{
	uint64_t *root, *pointers, *directory, old, memory;
	uint64_t *table = memory_need(3 * PAGE_BYTES, PAGE_BYTES);

	(void)unused;
	memory = (uint64_t)memory_need(IMAGE_BYTES, LARGE_PAGE);
	__asm__ volatile("mov %%cr3, %0" : "=r"(old));
	root = memcpy(table, (void *)(old & ~0xfffull), PAGE_BYTES);
	pointers = memcpy(table + TABLE_ENTRIES, (void *)(root[0] & ~0xfffull), PAGE_BYTES);
	directory = memcpy(table + 2 * TABLE_ENTRIES, (void *)(pointers[0] & ~0xfffull), PAGE_BYTES);
	root[0] = (uint64_t)pointers | TABLE_FLAGS;
	pointers[0] = (uint64_t)directory | TABLE_FLAGS;
	for (unsigned i = 0; i < IMAGE_BYTES / LARGE_PAGE; i++)
		directory[IMAGE_BASE / LARGE_PAGE + i] = (memory + i * LARGE_PAGE) | PAGE_FLAGS;
	__asm__ volatile("mov %0, %%cr3" : : "r"(root) : "memory");
}

static uint64_t enter(void *unused)
{
	(void)unused;
	image_at_base()->enter();
	return 0;
}

static void count(struct run *run)
{
	for (unsigned i = 0; i < 2; i++)
		if (kvm_pmu_enable(&run->events[i]))
			guest_exit(1);
	for (unsigned i = 0; i < 2; i++)
		run->counts[i] = kvm_pmu_count(&run->events[i]);
	user_run(enter, NULL);
	for (unsigned i = 0; i < 2; i++) {
		if (kvm_pmu_disable(&run->events[i]))
			guest_exit(1);
		run->counts[i] = kvm_pmu_count(&run->events[i]) - run->counts[i];
	}
}

static void open(void *unused)
{
	const struct kvm_pv_perf_attr attrs[2] = {
		kvm_pmu_attr(PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, false, true),
		kvm_pmu_attr(PV_TYPE_HARDWARE, PV_HW_BRANCH_INSTRUCTIONS, false, true),
	};

	(void)unused;
	for (unsigned i = 0; i < 2; i++)
		if (kvm_pmu_open(&runs[cpu_index()].events[i], &attrs[i]))
			guest_exit(1);
}

static void run_image(void *number)
{
	const struct embedded *each = &images[(uint64_t)number];
	struct run *run = &runs[cpu_index()];
	struct image *image = image_at_base();

	memcpy(image, each->begin, (size_t)(each->end - each->begin));
	memset(image->bss, 0, (size_t)(image->end - image->bss));
	image->wide = wide;
	run->fault[0] = 0;
	count(run);
	line_of(run->line, image, run->counts[0], run->counts[1]);
}

int guest_main(void)
{
	uint64_t last;

	option_only("first", "last", "wide", NULL);
	wide = option_number("wide", 0);
	if (wide && !avx_start()) {
		console_printf("no AVX\n");
		return 1;
	}
	for (unsigned vector = 0; vector < 32; vector++)
		if (vector != VECTOR_NMI && vector != VECTOR_DOUBLE_FAULT)
			exception_set(vector, take_fault);
	for (unsigned i = 0; i < IMAGE_BYTES / LARGE_PAGE; i++)
		page_split(IMAGE_BASE + i * LARGE_PAGE);
	smp_run_all(own_memory, NULL);
	smp_run_all(open, NULL);
	last = option_number("last", images_n - 1);
	for (uint64_t i = option_number("first", 0); i <= last; i++) {
		smp_run_all(run_image, (void *)i);
		for (unsigned vcpu = 0; vcpu < cpu_count(); vcpu++) {
			const struct run *run = &runs[vcpu];

			if (run->fault[0])
				console_printf("%lu fault %lu 0x%lx at 0x%lx\n", i, run->fault[0] - 1, run->fault[1],
					       run->fault[2]);
			else
				console_printf("%lu %s\n", i, run->line);
		}
	}
	return 0;
}
