/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cycle model, docs/cycles.md: a cycle for each instruction that retires, and what is written down here beside, by
 * hand. With watched=1 an alarm for cycles is armed meanwhile, so that blocks are looked at one by one.
 */
#include "rows.h"

enum { LOCKED = 18, EXIT = 1200 };

/* R13 is a page of memory, whose next is absent. */
ROW(plain, "nop; add $1, %rax; mov (%r13), %rax; mov %rax, 8(%r13); push %rax; pop %rax; mfence; pause; rdtsc")
ROW(branches, "mov $50, %ecx; 1: loop 1b; call 2f; jmp 3f; 2: ret; 3:")
ROW(string, "mov %r13, %rdi; mov $100, %ecx; rep stosb; xor %ecx, %ecx; rep stosb")
ROW(lock_one, "lock addq $1, (%r13)")
ROW(lock_three, "lock incq (%r13); nop; lock xaddl %eax, 8(%r13); xchg %eax, 16(%r13)")
ROW(lock_loop, "mov $20, %ecx; 1: lock decq (%r13); loop 1b")
ROW(lock_left, "lock negq (%r13); lock cmpxchg %ecx, 8(%r13)")
ROW(lock_pair, "lock cmpxchg16b (%r13)")
ROW(lock_compare, "xor %eax, %eax; movl $1, (%r13); lock cmpxchg %rcx, (%r13)")
ROW(exchange_registers, "xchg %rax, %rcx")
ROW(lock_absent, "nop; lock addq $1, 4096(%r13); nop")
ROW(lock_before_absent, "lock incq (%r13); lock incq 8(%r13); lock incq 4096(%r13); lock incq 16(%r13)")
ROW(lock_before_fault, "lock incq (%r13); ud2; lock incq (%r13)")
ROW(lock_absent_pair, "lock cmpxchg16b 4096(%r13)")
ROW(lock_left_absent, "lock negq 4096(%r13)")
ROW(lock_behind_out, "out %al, %dx; lock incq (%r13)")
ROW(lock_unaligned, "lock incq 61(%r13); lock incq (%r13)") /* the last: none stays in its block behind it */
ROW(out_one, "out %al, %dx")
ROW(out_three, "out %al, $0x80; nop; outw %ax, %dx; nop; outl %eax, %dx")
ROW(out_loop, "mov $5, %ecx; 1: out %al, %dx; loop 1b")
ROW(outs_one, "mov %r13, %rsi; outsb")
ROW(outs_four, "mov %r13, %rsi; mov $4, %ecx; rep outsb")
ROW(outs_none, "mov %r13, %rsi; xor %ecx, %ecx; rep outsb")
ROW(in_one, "in %dx, %al")
ROW(in_two, "in $0x80, %eax; nop; inw %dx, %ax")
ROW(ins_three, "mov %r13, %rdi; mov $3, %ecx; rep insb")
ROW(cpuid_two, "xor %eax, %eax; cpuid; mov $0x40000000, %eax; cpuid")
ROW(vmcall_one, "mov $999, %eax; vmcall")
ROW(vmmcall_two, "mov $999, %eax; vmmcall; mov $999, %eax; vmmcall")
ROW(kick_and_halt, "mov %gs:0, %rcx; mov 8(%rcx), %ecx; mov $5, %eax; vmcall; hlt; nop")
ROW(interrupt, "int $0x42; nop")
ROW(invalid, "ud2")
ROW(divide, "xor %ecx, %ecx; div %ecx")
ROW(absent, "mov 4096(%r13), %rax")
ROW(repeat_absent, "lea 4088(%r13), %rdi; mov $16, %ecx; rep stosb")
ROW(step, "pushfq; orl $0x100, (%rsp); popfq; nop; ud2")
ROW(step_locked, "pushfq; orl $0x100, (%rsp); popfq; lock incq (%r13); ud2")

static const struct row {
	const char *name;
	uint64_t (*run)(void *page);
	uint64_t kernel, user; /* cycles beside those of its instructions, at CPL 0, and at 3 */
	bool kernel_alone;
} rows[] = {
	{ "nothing but instructions", plain, 0, 0, false },
	{ "branches", branches, 0, 0, false },
	{ "rep", string, 0, 0, false },
	{ "LOCK", lock_one, LOCKED, LOCKED, false },
	{ "three in a block", lock_three, 3 * LOCKED, 3 * LOCKED, false },
	{ "LOCK in a loop", lock_loop, 20 * LOCKED, 20 * LOCKED, false },
	{ "two that leave their blocks", lock_left, 2 * LOCKED, 2 * LOCKED, false },
	{ "cmpxchg16b", lock_pair, LOCKED, LOCKED, false },
	{ "cmpxchg that finds another value", lock_compare, LOCKED, LOCKED, false },
	{ "xchg of registers", exchange_registers, 0, 0, false },
	{ "LOCK that faults", lock_absent, 0, 0, false },
	{ "two, and one that faults", lock_before_absent, 2 * LOCKED, 2 * LOCKED, false },
	{ "LOCK on both sides of a fault", lock_before_fault, LOCKED, LOCKED, false },
	{ "cmpxchg16b that faults", lock_absent_pair, 0, 0, false },
	{ "LOCK that leaves its block, and faults", lock_left_absent, 0, 0, false },
	{ "LOCK behind an OUT", lock_behind_out, EXIT + LOCKED, 0, false },
	{ "OUT", out_one, EXIT, 0, false },
	{ "three of them", out_three, 3 * EXIT, 0, false },
	{ "OUT in a loop", out_loop, 5 * EXIT, 0, false },
	{ "OUTS", outs_one, EXIT, 0, false },
	{ "REP OUTS of four", outs_four, 4 * EXIT, 0, false },
	{ "REP OUTS of none", outs_none, 0, 0, true },
	{ "IN", in_one, EXIT, 0, false },
	{ "two of them", in_two, 2 * EXIT, 0, false },
	{ "REP INS of three", ins_three, 3 * EXIT, 0, false },
	{ "CPUID, twice", cpuid_two, 2 * EXIT, 2 * EXIT, false },
	{ "a hypercall", vmcall_one, EXIT, EXIT, false },
	{ "two by vmmcall", vmmcall_two, 2 * EXIT, 2 * EXIT, false },
	{ "a kick, and HLT", kick_and_halt, 2 * EXIT, 0, true },
	{ "int n", interrupt, 0, 0, false },
	{ "#UD", invalid, 0, 0, false },
	{ "#DE", divide, 0, 0, false },
	{ "#PF", absent, 0, 0, false },
	{ "#PF in the midst of a rep", repeat_absent, 0, 0, false },
	{ "a step", step, 0, 0, false },
	{ "a step of a LOCK", step_locked, LOCKED, LOCKED, false },
	{ "LOCK that is not aligned, and one that is", lock_unaligned, 2 * LOCKED, 2 * LOCKED, false },
};

static uint8_t memory[2 * PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

static uint64_t count(const struct row *row, uint64_t config, bool user)
{
	return row_count(row->run, memory, user, config, user);
}

static void check(const struct row *row, bool user)
{
	uint64_t expected = user ? row->user : row->kernel;

	for (unsigned round = 0; round < 2; round++) { /* when it is translated, and then */
		uint64_t instructions = count(row, PV_HW_INSTRUCTIONS, user), cycles = count(row, PV_HW_CPU_CYCLES, user);

		report(cycles - instructions == expected, "CPL %u, %s: %ld cycles beside its instructions, expected %lu",
		       user ? 3 : 0, row->name, (long)(cycles - instructions), expected);
	}
}

/* A handler of NMIs costs nothing, since counters stand still, and its delivery nothing either. */
static void check_nmis(void)
{
	const struct kvm_pv_perf_attr cycles = kvm_pmu_attr(PV_TYPE_HARDWARE, PV_HW_CPU_CYCLES, false, false);
	const struct kvm_pv_perf_attr instructions = kvm_pmu_attr_sampling(PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, false, false, 1000);
	struct kvm_pmu_event counted[2];
	bool ok;

	kvm_pmu_nmi_start();
	ok = !kvm_pmu_open(&counted[0], &cycles) && !kvm_pmu_open(&counted[1], &instructions) &&
	     !kvm_pmu_enable(&counted[0]) && !kvm_pmu_enable(&counted[1]);
	for (volatile unsigned i = 0; ok && i < 20000; i++)
		;
	ok = ok && !kvm_pmu_disable(&counted[1]) && !kvm_pmu_disable(&counted[0]);
	report(ok && atomic_load(&counted[1].taken) > 50, "NMIs: %lu", atomic_load(&counted[1].taken));
	report(kvm_pmu_count(&counted[0]) - kvm_pmu_count(&counted[1]) < 3 * EXIT, "NMIs: %lu cycles, %lu instructions",
	       kvm_pmu_count(&counted[0]), kvm_pmu_count(&counted[1]));
}

int guest_main(void)
{
	static const uint8_t vectors[] = { VECTOR_DIVIDE, VECTOR_DEBUG, VECTOR_INVALID_OPCODE, VECTOR_PROTECTION, VECTOR_PAGE_FAULT,
					   0x42 };
	const struct kvm_pv_perf_attr watched =
		kvm_pmu_attr_sampling(PV_TYPE_HARDWARE, PV_HW_CPU_CYCLES, false, false, 1ull << 40);
	static struct kvm_pmu_event far;

	for (unsigned i = 0; i < ARRAY_SIZE(vectors); i++)
		exception_set(vectors[i], row_go_on);
	page_split((uint64_t)memory + PAGE_BYTES);
	page_set_present((uint64_t)memory + PAGE_BYTES, false);
	check_nmis();
	if (option_number("watched", 0) && (kvm_pmu_open(&far, &watched) || kvm_pmu_enable(&far)))
		return 1;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		check(&rows[i], false);
		if (!rows[i].kernel_alone)
			check(&rows[i], true);
	}
	return report_summary();
}
