/* SPDX-License-Identifier: GPL-2.0-only */
/* LOCK in the midst of a block that does not end well there: it faults, or changes the code behind it. */
#include "../oracle.h"

enum {
	ROUNDS = 20,
	PF_WRITE_ABSENT = 2,
	LOCKED = 7, MOV = 5, INC = 2,
	FLAGS = 0x8d5, FLAGS_OF_1_LESS_2 = 0x95, /* OF SF ZF AF PF CF; SF AF PF CF */
};

static uint8_t code[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
static uint8_t absent[GUEST_MAX_VCPUS][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

static uint64_t rflags[GUEST_MAX_VCPUS];

/* Goes on behind the faulting one, which must have come with the error of a write. */
static void on_fault(struct exception_frame *frame)
{
	rflags[cpu_index()] = frame->rflags;
	if (frame->error == PF_WRITE_ABSENT)
		oracle_skip(frame);
	else
		frame->rip = oracle_resume[cpu_index()];
}

/* inc %ecx; lock addl %edi, the number of the mov; inc %ecx; mov $0, %eax; ret */
static void prepare(void)
{
	static const uint8_t function[] = {
		0xff, 0xc1, 0xf0, 0x01, 0x3d, INC + 1, 0, 0, 0, 0xff, 0xc1, 0xb8, 0, 0, 0, 0, 0xc3,
	};
	_Static_assert(sizeof(function) == INC + LOCKED + INC + MOV + 1, "as the displacement says");

	for (unsigned vcpu = 0; vcpu < cpu_count(); vcpu++) {
		memcpy(code[vcpu], function, sizeof(function));
		page_split((uint64_t)absent[vcpu]);
		*page_entry((uint64_t)absent[vcpu]) &= ~1ull;
	}
	exception_set(VECTOR_PAGE_FAULT, on_fault);
}

/* Each form that is executed within the block, and some that are not. What they would load must not change. */
static uint64_t faults(unsigned vcpu)
{
	uint8_t *at = absent[vcpu] + 64;
	uint64_t before = oracle_faults[vcpu];

	ORACLE_FAULT("nop; lock incq (%1); ud2", "r"(at));
	ORACLE_FAULT("nop; lock incq 8(%1); nop; lock incq 16(%1); ud2", "r"(at));
	ORACLE_FAULT("nop; lock addw $1, (%1); ud2", "r"(at));
	ORACLE_FAULT("mov $7, %%ecx; lock xaddl %%ecx, (%1); ud2", "r"(at));
	ORACLE_FAULT("mov $7, %%ecx; xchg %%rcx, (%1); ud2", "r"(at));
	ORACLE_FAULT("mov $7, %%ecx; xchg %%cl, 3(%1); ud2", "r"(at));
	ORACLE_FAULT("mov $7, %%ecx; lock cmpxchgq %%rcx, (%1); ud2", "r"(at));
	ORACLE_FAULT("mov $7, %%ecx; lock btsq %%rcx, (%1); ud2", "r"(at));
	ORACLE_FAULT("mov $7, %%ecx; lock cmpxchgl %%ecx, (%1); ud2", "r"(at));
	ORACLE_FAULT("nop; lock cmpxchg8b (%1); ud2", "r"(at));
	return oracle_faults[vcpu] - before != 10;
}

/* Flags that nobody has computed when the block begins are those of the comparison when it faults. */
static uint64_t flags_at_fault(unsigned vcpu)
{
	uint8_t *at = absent[vcpu];
	uint64_t wrong = 0;

#define FLAGS_AT(n, text)                                                                              \
	ORACLE_FAULT("mov $1, %%ecx; cmp $2, %%ecx; jmp 1f; 1: " text "; ud2", "r"(at));                \
	wrong |= (uint64_t)((rflags[vcpu] & FLAGS) != FLAGS_OF_1_LESS_2) << (n)
	FLAGS_AT(0, "lock incq (%1)");
	FLAGS_AT(1, "lock addq %%rcx, (%1)");
	FLAGS_AT(2, "lock subl %%ecx, (%1)");
	FLAGS_AT(3, "lock xaddl %%ecx, (%1)");
	FLAGS_AT(4, "lock cmpxchgq %%rcx, (%1)");
	FLAGS_AT(5, "lock btsl $3, (%1)");
	FLAGS_AT(6, "xchg %%rcx, (%1)");
	FLAGS_AT(7, "lock notq (%1)");
	FLAGS_AT(8, "lock adcq %%rcx, (%1)");
	FLAGS_AT(9, "lock sbbq %%rcx, (%1)");
	FLAGS_AT(10, "lock negq (%1)");
	return wrong;
}

/* Within a block that has the counts of others: of the second LOCK, and what it loads, nothing must be seen. */
static uint64_t half_done(unsigned vcpu)
{
	static uint64_t words[GUEST_MAX_VCPUS];
	uint64_t before = words[vcpu], loaded;

	__asm__ volatile("lea 9f(%%rip), %%rax\n\t"
			 "mov %%rax, %[resume]\n\t"
			 "mov $1, %%eax\n\t"
			 "lock xadd %%rax, %[word]\n\t"
			 "lock incq %[word]\n\t"
			 "lock xadd %%rax, (%[at])\n\t"
			 "lock incq %[word]\n"
			 "9:"
			 : [resume] "=m"(oracle_resume[vcpu]), [word] "+m"(words[vcpu]), "=&a"(loaded)
			 : [at] "r"(absent[vcpu]) : "memory", "cc");
	return words[vcpu] != before + 2 || loaded != before;
}

static uint64_t program(unsigned vcpu)
{
	uint64_t wrong = faults(vcpu) | half_done(vcpu) << 1 | flags_at_fault(vcpu) << 8;
	uint32_t number = ((uint32_t (*)(uint32_t))code[vcpu])(0);

	for (uint32_t i = 1; i < ROUNDS; i++) {
		number += i;
		wrong |= (uint64_t)(((uint32_t (*)(uint32_t))code[vcpu])(i) != number) << 2;
	}
	return wrong;
}
