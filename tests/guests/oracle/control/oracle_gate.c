/* SPDX-License-Identifier: GPL-2.0-only */
/* Gates that are not there: what the #GP in their place says (SDM vol. 3, 6.13). */
#include "../oracle.h"

enum { VECTOR_NONE = 0x50, GATE_PRESENT = 1 << 15, EXTERNAL = 1, OF_IDT = 2 };

struct idtr {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static uint64_t errors[GUEST_MAX_VCPUS];

static void note_error(struct exception_frame *frame)
{
	errors[cpu_index()] = frame->error;
	oracle_skip(frame);
}

static void take_away(unsigned vector)
{
	struct idtr idtr;

	__asm__ volatile("sidt %0" : "=m"(idtr));
	((volatile uint32_t *)idtr.base)[4 * vector + 1] &= ~(uint32_t)GATE_PRESENT;
}

static void nothing(void *arg)
{
	(void)arg;
}

/* The IDT is one for all, and a vCPU fills it as it boots: no gate goes before the last has. */
static void prepare(void)
{
	exception_set(VECTOR_PROTECTION, note_error);
	smp_run_all(nothing, NULL);
}

static uint64_t program(unsigned vcpu)
{
	uint64_t wrong = 0;

	take_away(VECTOR_NONE);
	take_away(VECTOR_INVALID_OPCODE);
	ORACLE_FAULT("nop; int %1; ud2", "i"(VECTOR_NONE));
	wrong |= errors[vcpu] != (VECTOR_NONE << 3 | OF_IDT);
	ORACLE_FAULT("nop; ud2; nop", "r"(0));
	wrong |= (uint64_t)(errors[vcpu] != (VECTOR_INVALID_OPCODE << 3 | OF_IDT | EXTERNAL)) << 1;
	return wrong;
}
