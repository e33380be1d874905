/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exact counts: enable, a known sequence, and disable in one piece of assembly.
 * Between the two hypercalls there are, besides, the three that set up the second.
 */
#include "guest.h"

enum { SETUP = 3 };

/* A function that runs `text` in the window of event RDI. R12 is the id; RSI points to 4096 bytes. */
#define SEQUENCE(name, text)                                                              \
	__attribute__((naked)) static void name(int32_t id, void *memory)                 \
	{                                                                                 \
		(void)id;                                                                 \
		(void)memory;                                                             \
		__asm__ volatile("push %rbx; push %rbp; push %r12; push %r13\n\t"         \
				 "mov %edi, %r12d; mov %rsi, %r13\n\t"                    \
				 "mov $3, %eax; mov $3, %ebx; mov %r12d, %ecx; vmcall\n\t" \
				 text "\n\t"                                              \
				 "mov $3, %eax; mov $4, %ebx; mov %r12d, %ecx; vmcall\n\t" \
				 "pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n\t");      \
	}

SEQUENCE(empty, "")
SEQUENCE(one, "nop")
SEQUENCE(ten, ".rept 10; nop; .endr")
SEQUENCE(thousand, ".rept 1000; add $1, %rax; .endr")
SEQUENCE(loop_1000, "mov $1000, %edx; 1: dec %edx; jnz 1b")
SEQUENCE(loop_instruction, "mov $500, %ecx; 1: nop; loop 1b")
SEQUENCE(not_taken, "xor %eax, %eax; .rept 7; jnz 1f; .endr; 1:")
SEQUENCE(jumps, "jmp 1f; ud2; 1: jmp 2f; ud2; 2:")
SEQUENCE(call_ret, "call 1f; jmp 2f; 1: ret; 2:")
SEQUENCE(indirect, "lea 1f(%rip), %rax; jmp *%rax; ud2; 1: lea 2f(%rip), %rax; call *%rax; jmp 3f; 2: ret; 3:")
SEQUENCE(jrcxz_both, "xor %ecx, %ecx; jrcxz 1f; ud2; 1: inc %ecx; jrcxz 1b")
SEQUENCE(rep_movs, "mov %r13, %rsi; lea 512(%r13), %rdi; mov $100, %ecx; rep movsb")
SEQUENCE(rep_stos_0, "mov %r13, %rdi; xor %ecx, %ecx; rep stosq")
SEQUENCE(rep_stos_1, "mov %r13, %rdi; mov $1, %ecx; rep stosq")
SEQUENCE(rep_scas, "mov %r13, %rdi; mov $100, %ecx; mov $1, %al; movb $1, 50(%r13); repne scasb")
SEQUENCE(rep_twice, "mov %r13, %rdi; mov $9, %ecx; rep stosb; mov $9, %ecx; rep stosb")
SEQUENCE(rep_loop, "mov $20, %edx; 1: mov %r13, %rdi; mov $30, %ecx; rep stosb; dec %edx; jnz 1b")
SEQUENCE(other_vmcalls, ".rept 5; mov $999, %eax; vmcall; .endr")
SEQUENCE(vmmcalls, ".rept 5; mov $999, %eax; vmmcall; .endr")
SEQUENCE(read_inside, "mov $3, %eax; mov $5, %ebx; mov %r12d, %ecx; vmcall")
SEQUENCE(enable_inside, "mov $3, %eax; mov $3, %ebx; mov %r12d, %ecx; vmcall; nop")
SEQUENCE(locked, ".rept 8; lock addl $1, (%r13); .endr; lock xaddq %rax, 8(%r13); xchg %rax, 16(%r13)")
SEQUENCE(locked_loop, "mov $100, %edx; 1: lock incq (%r13); dec %edx; jnz 1b")
SEQUENCE(stack, "push %rax; pop %rax; pushfq; popfq; push $5; pop %rcx")
SEQUENCE(sse, "pxor %xmm0, %xmm0; movdqu (%r13), %xmm1; paddd %xmm1, %xmm0; movdqu %xmm0, (%r13)")
SEQUENCE(cpuid_twice, "xor %eax, %eax; cpuid; mov $0x40000000, %eax; cpuid")
SEQUENCE(console, "mov $0x3f8, %edx; mov $32, %al; .rept 3; out %al, %dx; nop; .endr; mov $10, %al; out %al, %dx")
SEQUENCE(kick_halt, "mov %gs:0, %rcx; mov 8(%rcx), %ecx; mov $5, %eax; vmcall; hlt; nop")

static const struct {
	const char *name;
	void (*run)(int32_t id, void *memory);
	uint64_t instructions, branches;
} rows[] = {
	{ "nothing", empty, 0, 0 },
	{ "a nop", one, 1, 0 },
	{ "ten nops", ten, 10, 0 },
	{ "a thousand adds", thousand, 1000, 0 },
	{ "a loop", loop_1000, 2001, 1000 },
	{ "loop", loop_instruction, 1001, 500 },
	{ "branches not taken", not_taken, 8, 7 },
	{ "jumps", jumps, 2, 2 },
	{ "call and ret", call_ret, 3, 3 },
	{ "indirect jump and call", indirect, 6, 4 },
	{ "jrcxz taken and not", jrcxz_both, 4, 2 },
	{ "rep movs", rep_movs, 4, 0 },
	{ "rep stos of 0", rep_stos_0, 3, 0 },
	{ "rep stos of 1", rep_stos_1, 3, 0 },
	{ "repne scas that stops early", rep_scas, 5, 0 },
	{ "two reps", rep_twice, 5, 0 },
	{ "rep in a loop", rep_loop, 1 + 20 * 5, 20 },
	{ "other vmcalls", other_vmcalls, 10, 0 },
	{ "other vmmcalls", vmmcalls, 10, 0 },
	{ "read of itself", read_inside, 4, 0 },
	{ "enabled twice", enable_inside, 5, 0 },
	{ "LOCK", locked, 10, 0 },
	{ "LOCK in a loop", locked_loop, 301, 100 },
	{ "stack", stack, 6, 0 },
	{ "SSE", sse, 4, 0 },
	{ "cpuid", cpuid_twice, 4, 0 },
	{ "console", console, 10, 0 },
	{ "kick and hlt", kick_halt, 6, 0 },
};
_Static_assert(offsetof(struct cpu, index) == 8, "kick_halt");

static uint8_t memory[GUEST_MAX_VCPUS][4096] __attribute__((aligned(4096)));

struct count_of_row {
	uint64_t instructions, branches, user;
};
static struct count_of_row counts[GUEST_MAX_VCPUS][ARRAY_SIZE(rows)];

/* The count of one event over one row, on this vCPU; all ones: an operation failed. */
static uint64_t count_row(unsigned row, const struct kvm_pv_perf_attr *attr)
{
	struct kvm_pmu_event event;
	uint64_t count;

	if (kvm_pmu_open(&event, attr))
		return ~0ull;
	rows[row].run(event.id, memory[cpu_index()]);
	count = kvm_pmu_count(&event);
	return kvm_pmu_close(&event) ? ~0ull : count;
}

static void count_rows(void *arg)
{
	struct kvm_pv_perf_attr instructions = kvm_pmu_attr(PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, false, false);
	struct kvm_pv_perf_attr branches = kvm_pmu_attr(PV_TYPE_RAW, PV_RAW_BRANCH_INSTRUCTIONS, true, false);
	struct kvm_pv_perf_attr user = kvm_pmu_attr(PV_TYPE_RAW, PV_RAW_INSTRUCTIONS, false, true);

	(void)arg;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		counts[cpu_index()][i] = (struct count_of_row){
			.instructions = count_row(i, &instructions),
			.branches = count_row(i, &branches),
			.user = count_row(i, &user),
		};
}

static void test_rows(void)
{
	smp_run_all(count_rows, NULL);
	for (unsigned vcpu = 0; vcpu < cpu_count(); vcpu++)
		for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
			const struct count_of_row *c = &counts[vcpu][i];

			report(c->instructions == rows[i].instructions + SETUP && c->branches == rows[i].branches &&
				       c->user == 0,
			       "vCPU %u: %s: %lu instructions of %lu, %lu branches of %lu, %lu at CPL 3", vcpu,
			       rows[i].name, c->instructions, rows[i].instructions + SETUP, c->branches,
			       rows[i].branches, c->user);
		}
}

static uint64_t user_loop(void *arg)
{
	uint64_t n = (uint64_t)arg;

	__asm__ volatile("1: dec %0\n\t"
			 "jnz 1b"
			 : "+r"(n));
	return n;
}

static uint64_t count_user(uint64_t iterations, bool exclude_user, bool exclude_kernel)
{
	struct kvm_pv_perf_attr attr = kvm_pmu_attr(PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, exclude_user, exclude_kernel);
	struct kvm_pmu_event event;

	if (kvm_pmu_open(&event, &attr))
		return ~0ull;
	kvm_pmu_enable(&event);
	user_run(user_loop, (void *)iterations);
	kvm_pmu_disable(&event);
	kvm_pmu_close(&event);
	return kvm_pmu_count(&event);
}

/* 1000 more iterations at CPL 3 are 2000 more instructions there, and none at CPL 0. */
static void test_user_split(void)
{
	uint64_t user = count_user(1001, false, true) - count_user(1, false, true);
	uint64_t kernel = count_user(1001, true, false) - count_user(1, true, false);
	uint64_t both = count_user(1001, false, false) - count_user(1, false, false);
	uint64_t neither = count_user(1001, true, true);

	report(user == 2000, ":u counts %lu of 2000", user);
	report(kernel == 0, ":k counts %lu of 0", kernel);
	report(both == 2000, "both counts %lu of 2000", both);
	report(neither == 0, "neither counts %lu of 0", neither);
	report(count_user(77, false, false) == count_user(77, true, false) + count_user(77, false, true),
	       ":u and :k add up");
}

/* What is executed between disable and enable does not count; the count goes on from where it was. */
static void test_stopped_between(void)
{
	struct kvm_pv_perf_attr attr = kvm_pmu_attr(PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, false, false);
	struct kvm_pmu_event event;
	uint64_t read = 0;

	kvm_pmu_open(&event, &attr);
	for (unsigned i = 0; i < 10; i++) {
		ten(event.id, memory[0]);
		user_loop((void *)1000);
	}
	report(kvm_pmu_count(&event) == 10 * (10 + SETUP), "ten windows: %lu of %u", kvm_pmu_count(&event),
	       10 * (10 + SETUP));
	kvm_pmu_read(&event, &read);
	report(read == 10 * (10 + SETUP), "read when stopped: %lu", read);
	report(event.shared.overflows == 0, "overflows untouched");
	kvm_pmu_close(&event);
}

int guest_main(void)
{
	test_rows();
	test_user_split();
	test_stopped_between();
	return report_summary();
}
