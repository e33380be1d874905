/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What retires of an instruction that ends in an exception (SDM vol. 3, 6.5): nothing where that is a fault, and the
 * instruction where it is a trap. The right figures are written down by hand.
 */
#include "rows.h"

enum {
	VECTOR_STACK = 12,
	VECTOR_ALIGNMENT = 17,
	VECTOR_CLOSED = 0x42, /* a gate of DPL 0 */
	VECTOR_LESS = 0x43,   /* one of DPL 1 */
	VECTOR_NONE = 0x50,   /* none */
	GATE_PRESENT = 1 << 15,
	GATE_DPL = 13, /* from this bit on */
};

/* R13 is a page that is absent. */
ROW(nothing, "")
ROW(invalid, "ud2")
ROW(absent_load, "mov (%r13), %rax")
ROW(absent_store, "nop; mov %rax, 8(%r13); nop")
ROW(absent_lock, "lock addq $1, (%r13)")
ROW(absent_push, "lea 64(%r13), %rsp; push %rax")
ROW(absent_call, "lea 64(%r13), %rsp; call 9f")
ROW(absent_ret, "lea 64(%r13), %rsp; ret")
ROW(absent_target, "jmp *%r13")
ROW(absent_callee, "call *%r13")
ROW(absent_rep, "lea -8(%r13), %rdi; mov $16, %ecx; rep stosb")
ROW(wild_load, "mov $1, %rax; rol $63, %rax; mov (%rax), %rax")
ROW(unaligned, "lea -60(%r13), %rdi; lock cmpxchg16b (%rdi)")
ROW(divide, "xor %ecx, %ecx; nop; div %ecx; nop")
ROW(int_closed, "nop; int $0x42; nop")
ROW(int_prefixed, "nop; .byte 0x66, 0xcd, 0x42; nop")
ROW(int_less, "nop; int $0x43; nop")
ROW(int_1, "int $1")
ROW(int_none, "int $0x50; nop")
ROW(int_3, "int3; nop")
ROW(int_3_long, ".byte 0xcd, 3; nop")
ROW(icebp, ".byte 0xf1; nop")
ROW(system_call, "mov $99, %eax; int $0x80; nop")
ROW(fast_call, "syscall")
ROW(halts, "hlt")
ROW(clears, "cli")
ROW(reads_port, "mov $0x80, %edx; in %dx, %al")
ROW(writes_port, "out %al, $0x80; nop")
ROW(reads_msr, "mov $0x10, %ecx; rdmsr")
ROW(moves_control, "mov %rax, %cr3")
ROW(iret_no_segment, "push $0; push $0; push $2; push $0; push $0; iretq")
ROW(iret_same, "mov %ss, %eax; push %rax; push %r15; pushfq; mov %cs, %eax; push %rax; push %r14; iretq")
ROW(far_ret_null, "push $0; push $0; lretq")
ROW(rewritten, "jmp 1f; 1: movb $0, 2f - 1(%rip); jmp 2f; 2: nop") /* the distance of the second jump */
ROW(rewritten_last, "mov $3, %ecx; 1: nop; movb $0x90, 1b(%rip); loop 1b")
ROW(single_step, "pushfq; orl $0x100, (%rsp); popfq; nop; ud2")
ROW(single_step_jump, "pushfq; orl $0x100, (%rsp); popfq; jmp 1f; ud2; 1: nop; ud2")
ROW(breakpoint, "lea 1f(%rip), %rax; mov %rax, %dr0; mov $0x401, %eax; mov %rax, %dr7; nop; 1: nop; ud2")
ROW(watchpoint, "lea -64(%r13), %rax; mov %rax, %dr0; mov $0xd0401, %ecx; mov %rcx, %dr7; nop; movl $1, (%rax); ud2")
ROW(odd_stack, "lea -3(%rsp), %rsp; ud2")
ROW(no_stack_int, "lea 64(%r13), %rsp; int $0x42")
ROW(no_stack_fault, "lea 64(%r13), %rsp; ud2")

/* To CPL 3 by sysret, and back by syscall. */
ROW(fast_calls, "mov $0xc0000082, %ecx; lea 2f(%rip), %rax; mov %rax, %rdx; shr $32, %rdx; wrmsr\n\t"
		"lea 1f(%rip), %rcx; pushfq; pop %r11; sysretq; 1: nop; syscall; 2:")

struct row {
	const char *name;
	uint64_t (*run)(void *page);
	uint64_t instructions, branches; /* of `text` */
	uint64_t (*like)(void *page);    /* at CPL 0: its handler takes as many */
};

static const struct row user_rows[] = {
	{ "ud2", invalid, 0, 0, NULL },
	{ "a load of a page that is absent", absent_load, 0, 0, NULL },
	{ "a store", absent_store, 1, 0, NULL },
	{ "LOCK", absent_lock, 0, 0, NULL },
	{ "a push", absent_push, 1, 0, NULL },
	{ "a call that cannot push", absent_call, 1, 0, NULL },
	{ "a return that cannot pop", absent_ret, 1, 0, NULL },
	{ "a jump to a page that is absent", absent_target, 1, 1, NULL },
	{ "a call of it", absent_callee, 1, 1, NULL },
	{ "rep, in its midst", absent_rep, 2, 0, NULL },
	{ "an address that is not canonical", wild_load, 2, 0, NULL },
	{ "cmpxchg16b that is not aligned", unaligned, 1, 0, NULL },
	{ "a division by zero", divide, 2, 0, NULL },
	{ "int n through a gate of DPL 0", int_closed, 1, 0, NULL },
	{ "through one of DPL 1", int_less, 1, 0, NULL },
	{ "the same with a prefix", int_prefixed, 1, 0, NULL },
	{ "int 1 through one", int_1, 0, 0, NULL },
	{ "int n without a gate", int_none, 0, 0, NULL },
	{ "int3", int_3, 1, 1, NULL },
	{ "int 3", int_3_long, 1, 1, NULL },
	{ "int1", icebp, 1, 1, NULL },
	{ "int 0x80", system_call, 3, 1, NULL },
	{ "syscall where there is none", fast_call, 0, 0, NULL },
	{ "hlt", halts, 0, 0, NULL },
	{ "cli", clears, 0, 0, NULL },
	{ "in", reads_port, 1, 0, NULL },
	{ "out", writes_port, 0, 0, NULL },
	{ "rdmsr", reads_msr, 1, 0, NULL },
	{ "mov to cr3", moves_control, 0, 0, NULL },
	{ "iret to nowhere", iret_no_segment, 5, 0, NULL },
	{ "iret", iret_same, 8, 1, NULL },
	{ "lret to nowhere", far_ret_null, 2, 0, NULL },
	{ "a store into its own block of two", rewritten, 4, 2, NULL },
	{ "a store over what came before it", rewritten_last, 10, 3, NULL },
	{ "a step", single_step, 4, 0, NULL },
	{ "a step that jumps", single_step_jump, 4, 1, NULL },
};

static const struct row kernel_rows[] = {
	{ "ud2", invalid, 0, 0, invalid },
	{ "a store of a page that is absent", absent_store, 1, 0, absent_load },
	{ "a jump to it", absent_target, 1, 1, absent_load },
	{ "rep, in its midst", absent_rep, 2, 0, absent_load },
	{ "a division by zero", divide, 2, 0, invalid },
	{ "int n", int_closed, 2, 1, invalid },
	{ "int n without a gate", int_none, 0, 0, absent_load },
	{ "int3", int_3, 1, 1, invalid },
	{ "int1", icebp, 1, 1, invalid },
	{ "iret to nowhere", iret_no_segment, 5, 0, absent_load },
	{ "lret to nowhere", far_ret_null, 2, 0, absent_load },
	{ "a store into its own block of two", rewritten, 4, 2, nothing },
	{ "a store over what came before it", rewritten_last, 10, 3, nothing },
	{ "a step", single_step, 4, 0, invalid },
	{ "a breakpoint of DR7", breakpoint, 5, 0, invalid },
	{ "a watchpoint of DR7", watchpoint, 6, 0, invalid },
	{ "ud2 on a stack that is not aligned", odd_stack, 1, 0, invalid },
	{ "int n without a stack", no_stack_int, 1, 0, absent_load },
	{ "ud2 without a stack", no_stack_fault, 1, 0, absent_load },
};

static uint8_t memory[2 * PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

static unsigned misaligned;       /* frames that were */
static uint64_t vector, address; /* of the last one */

static void go_on(struct exception_frame *frame)
{
	__asm__ volatile("mov %0, %%dr7" : : "r"(0x400ul));
	misaligned += (uint64_t)frame % 16 != 0;
	vector = frame->vector;
	address = exception_address();
	row_go_on(frame);
}

/* The second word of a gate. */
static volatile uint32_t *gate(unsigned of)
{
	struct { uint16_t limit; uint64_t base; } __attribute__((packed)) idtr;

	__asm__ volatile("sidt %0" : "=m"(idtr));
	return (volatile uint32_t *)idtr.base + 4 * of + 1;
}

static uint64_t count_at(uint64_t (*run)(void *page), bool runs_user, bool user, bool branches)
{
	return row_count(run, memory + PAGE_BYTES, runs_user, branches ? PV_HW_BRANCH_INSTRUCTIONS : PV_HW_INSTRUCTIONS, user);
}

static uint64_t count(uint64_t (*run)(void *page), bool user, bool branches)
{
	return count_at(run, user, user, branches);
}

/* Far transfers without an exception, by what they count at each level. */
static void check_fast_calls(void)
{
	enum { MSR_EFER = 0xc0000080, MSR_STAR, EFER_SCE = 1 };
	const uint32_t star = SELECTOR_KERNEL_DATA << 16 | SELECTOR_KERNEL_CODE;
	struct { uint64_t expected; bool user, branches; } all[] = {
		{ 9, false, false }, { 1, false, true }, { 2, true, false }, { 1, true, true },
	};
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_EFER));
	__asm__ volatile("wrmsr" : : "c"(MSR_EFER), "a"(low | EFER_SCE), "d"(high));
	__asm__ volatile("wrmsr" : : "c"(MSR_STAR), "a"(0), "d"(star));
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(all); i++) {
		bool user = all[i / 2].user, branches = all[i / 2].branches;
		uint64_t n = count_at(fast_calls, false, user, branches) - count_at(nothing, false, user, branches);

		report(n == all[i / 2].expected, "sysret and syscall, CPL %u, %s: %ld, expected %lu", user ? 3 : 0,
		       branches ? "branches" : "instructions", (long)n, all[i / 2].expected);
	}
	__asm__ volatile("wrmsr" : : "c"(MSR_EFER), "a"(low), "d"(high));
}

/* What comes in the delivery of another exception (SDM vol. 3, 6.15). */
static void check_second_faults(void)
{
	uint8_t *page = memory + PAGE_BYTES;

	no_stack_fault(page);
	report(vector == VECTOR_DOUBLE_FAULT && address >= (uint64_t)page && address < (uint64_t)page + 64,
	       "ud2 without a stack: vector %lu, of an access %ld bytes into the page", vector, (long)(address - (uint64_t)page));
	*gate(VECTOR_PAGE_FAULT) &= ~(uint32_t)GATE_PRESENT;
	absent_load(page);
	report(vector == VECTOR_DOUBLE_FAULT, "a page fault without a gate: vector %lu", vector);
	*gate(VECTOR_PAGE_FAULT) |= GATE_PRESENT;
	*gate(VECTOR_INVALID_OPCODE) &= ~(uint32_t)GATE_PRESENT;
	invalid(page);
	report(vector == VECTOR_PROTECTION, "ud2 without a gate: vector %lu", vector);
	*gate(VECTOR_INVALID_OPCODE) |= GATE_PRESENT;
}

static void check(const struct row *row, bool user)
{
	for (unsigned round = 0; round < 2; round++) { /* when it is translated, and then */
		uint64_t (*like)(void *page) = user ? nothing : row->like;
		uint64_t instructions = count(row->run, user, false) - count(like, user, false);
		uint64_t branches = count(row->run, user, true) - count(like, user, true);

		report(instructions == row->instructions && branches == row->branches,
		       "CPL %u, %s: %ld instructions, %ld branches; expected %lu, %lu", user ? 3 : 0, row->name,
		       (long)instructions, (long)branches, row->instructions, row->branches);
	}
}

static void nothing_at_all(void *arg)
{
	(void)arg;
}

int guest_main(void)
{
	static const uint8_t vectors[] = { VECTOR_DIVIDE, VECTOR_DEBUG, VECTOR_BREAKPOINT, VECTOR_INVALID_OPCODE, VECTOR_DOUBLE_FAULT,
					   VECTOR_STACK, VECTOR_PROTECTION, VECTOR_PAGE_FAULT, VECTOR_ALIGNMENT, VECTOR_CLOSED };

	for (unsigned i = 0; i < ARRAY_SIZE(vectors); i++)
		exception_set(vectors[i], go_on);
	smp_run_all(nothing_at_all, NULL); /* each fills the IDT as it boots */
	*gate(VECTOR_NONE) &= ~(uint32_t)GATE_PRESENT;
	*gate(VECTOR_LESS) |= 1 << GATE_DPL;
	page_split((uint64_t)memory + PAGE_BYTES);
	page_set_present((uint64_t)memory + PAGE_BYTES, false);
	for (unsigned i = 0; i < ARRAY_SIZE(user_rows); i++)
		check(&user_rows[i], true);
	for (unsigned i = 0; i < ARRAY_SIZE(kernel_rows); i++)
		check(&kernel_rows[i], false);
	check_fast_calls();
	check_second_faults();
	report(!misaligned, "%u frames were not aligned", misaligned);
	return report_summary();
}
