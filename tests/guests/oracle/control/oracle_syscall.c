/* SPDX-License-Identifier: GPL-2.0-only */
/* syscall and sysret. */
#include "../oracle.h"

enum {
	MSR_EFER = 0xc0000080,
	MSR_STAR = 0xc0000081,
	MSR_LSTAR = 0xc0000082,
	MSR_FMASK = 0xc0000084,
	EFER_SCE = 1,
};

static void prepare(void)
{
}

static uint64_t msr_read(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return low | (uint64_t)high << 32;
}

static void msr_write(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

/* RAX doubled. It needs no stack, so the user's stays loaded. */
__attribute__((naked)) static void entry(void)
{
	__asm__ volatile("add %rax, %rax\n\t"
			 "sysretq");
}

static uint64_t at_user(void *arg)
{
	uint64_t x = (uint64_t)arg;

	for (unsigned i = 0; i < 10; i++)
		__asm__ volatile("nop\n\t"
				 "syscall\n\t"
				 "nop"
				 : "+a"(x) : : "rcx", "r11", "memory");
	return x;
}

static uint64_t program(unsigned vcpu)
{
	(void)vcpu;
	msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SCE);
	msr_write(MSR_STAR, (uint64_t)SELECTOR_KERNEL_CODE << 32 | (uint64_t)(SELECTOR_KERNEL_DATA | 3) << 48);
	msr_write(MSR_LSTAR, (uint64_t)entry);
	msr_write(MSR_FMASK, 0);
	return user_run(at_user, (void *)3) != 3 << 10;
}
