/* SPDX-License-Identifier: GPL-2.0-only */
/* sysenter, back by iret; and where no MSR says where to, #GP. */
#include "../oracle.h"

enum { MSR_SYSENTER_CS = 0x174, MSR_SYSENTER_ESP = 0x175, MSR_SYSENTER_EIP = 0x176, RFLAGS_IF = 1 << 9 };

static uint8_t stacks[GUEST_MAX_VCPUS][256] __attribute__((aligned(16)));

static void prepare(void)
{
	exception_set(VECTOR_PROTECTION, oracle_skip);
}

static void msr_write(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

/* RAX doubled, plus RFLAGS.IF as it is found here; the user's RIP in RDX, its RSP in RCX. */
__attribute__((naked)) static void entry(void)
{
	__asm__ volatile("pushq %0\n\t"
			 "push %%rcx\n\t"
			 "pushfq\n\t"
			 "pushq %1\n\t"
			 "push %%rdx\n\t"
			 "add %%rax, %%rax\n\t"
			 "mov 16(%%rsp), %%rcx\n\t"
			 "and %2, %%ecx\n\t"
			 "add %%rcx, %%rax\n\t"
			 "iretq" : : "i"(SELECTOR_USER_DATA), "i"(SELECTOR_USER_CODE), "i"(RFLAGS_IF));
}

static uint64_t at_user(void *arg)
{
	uint64_t x = (uint64_t)arg;

	for (unsigned i = 0; i < 10; i++)
		__asm__ volatile("lea 1f(%%rip), %%rdx\n\t"
				 "mov %%rsp, %%rcx\n\t"
				 "sysenter\n\t"
				 "ud2\n"
				 "1: nop"
				 : "+a"(x) : : "rcx", "rdx", "memory", "cc");
	return x;
}

static uint64_t refused_at_user(void *arg)
{
	ORACLE_FAULT("nop; sysenter; ud2", "r"(arg));
	return 1;
}

static uint64_t program(unsigned vcpu)
{
	uint64_t before = oracle_faults[vcpu], wrong;

	msr_write(MSR_SYSENTER_CS, SELECTOR_KERNEL_CODE);
	msr_write(MSR_SYSENTER_ESP, (uint64_t)stacks[vcpu] + sizeof(stacks[vcpu]));
	msr_write(MSR_SYSENTER_EIP, (uint64_t)entry);
	wrong = user_run(at_user, (void *)3) != 3 << 10;
	msr_write(MSR_SYSENTER_CS, 0);
	wrong |= (uint64_t)(user_run(refused_at_user, NULL) != 1) << 1;
	return wrong | (uint64_t)(oracle_faults[vcpu] - before != 1) << 2;
}
