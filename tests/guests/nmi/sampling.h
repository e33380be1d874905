/* SPDX-License-Identifier: GPL-2.0-only */
/* What the guest tests of overflows share: windows of known length, and what sampling one has given. */
#ifndef TEST_SAMPLING_H
#define TEST_SAMPLING_H

#include "guest.h"

/* Of window_code(), by iterations: in the window are a mov, the loop of two, and three that set up DISABLE. */
#define WINDOW_INSTRUCTIONS(iterations) (2 * (uint64_t)(iterations) + 4)
#define WINDOW_BRANCHES(iterations) ((uint64_t)(iterations))
#define WINDOW_ITERATIONS(instructions) (((uint64_t)(instructions) - 4) / 2)
enum { WINDOW_MAX_BLOCK = 4 }; /* instructions */

/* ENABLE, the loop, DISABLE: the first result that is not 0. Its loop begins at window_loop. */
int64_t window_code(int32_t id, uint64_t iterations);
extern const uint8_t window_loop[];
__asm__(".text\n"
	"window_code:\n\t"
	"push %rbp; mov %rsp, %rbp; push %rbx\n\t"
	"mov $3, %eax; mov $3, %ebx; mov %edi, %ecx; vmcall\n\t"
	"mov %rax, %r8\n"
	"window_loop:\n\t"
	"dec %rsi\n\t"
	"jnz window_loop\n\t"
	"mov $3, %eax; mov $4, %ebx; mov %edi, %ecx; vmcall\n\t"
	"test %r8, %r8; cmovnz %r8, %rax\n\t"
	"pop %rbx; pop %rbp; ret\n");

/* The same, and the driver's handler knows the event meanwhile. */
static inline int64_t window_run(struct kvm_pmu_event *event, uint64_t iterations)
{
	int64_t ret;

	event->slot = kvm_pmu_slot_here(event);
	ret = window_code(event->id, iterations);
	kvm_pmu_slot_leave(event);
	return ret;
}

/* Two instructions an iteration. */
__attribute__((noinline, unused)) static void loop_run(uint64_t iterations)
{
	__asm__ volatile("1: dec %0\n\t"
			 "jnz 1b"
			 : "+r"(iterations)
			 :
			 : "cc");
}

/* What has been raised, as far as it has come to the guest: taken by a handler, or waiting in the word. */
static inline uint64_t event_overflows(const struct kvm_pmu_event *event)
{
	return atomic_load(&event->taken) + (uint32_t)atomic_load(&event->shared.overflows);
}

static inline uint64_t nmis_here(void)
{
	return kvm_pmu_nmi_counts(cpu_index()).nmis;
}

#endif
