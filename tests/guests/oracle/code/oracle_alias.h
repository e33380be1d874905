/* SPDX-License-Identifier: GPL-2.0-only */
/* Code in pages that may not be executed: by their own entry, or by the kernel since they are a user's. */
#ifndef ORACLE_ALIAS_H
#define ORACLE_ALIAS_H

#include "../oracle.h"

enum { MSR_EFER = 0xc0000080, EFER_NXE = 1 << 11, NUMBER = 4 };

#define CR4_SMEP (1ull << 20)
#define ENTRY_USER (1ull << 2)
#define ENTRY_NO_EXECUTE (1ull << 63)

/* A function that returns the number at NUMBER. */
static const uint8_t alias_function[] = { 0x90, 0x90, 0x90, 0xb8, 0, 0, 0, 0, 0xc3 }; /* mov $0, %eax; ret */

/* This page of the guest's program, and all others of its 2 MiB, get entries of their own that are the kernel's. */
static inline void alias_split_for_kernel(void *page)
{
	uint64_t *table;

	page_split((uint64_t)page);
	table = (uint64_t *)((uint64_t)page_entry((uint64_t)page) / PAGE_BYTES * PAGE_BYTES);
	for (unsigned i = 0; i < PAGE_BYTES / sizeof(*table); i++)
		table[i] &= ~ENTRY_USER;
}

/* The function's page for each vCPU, and in the other pages what is that memory, too, and may not be executed. */
static inline void alias_prepare(uint8_t code[][PAGE_BYTES], uint8_t alias[][PAGE_BYTES])
{
	for (unsigned vcpu = 0; vcpu < cpu_count(); vcpu++) {
		memcpy(code[vcpu], alias_function, sizeof(alias_function));
		page_split((uint64_t)code[vcpu]);
		page_split((uint64_t)alias[vcpu]);
		*page_entry((uint64_t)alias[vcpu]) = *page_entry((uint64_t)code[vcpu]) | ENTRY_NO_EXECUTE;
	}
}

static inline void alias_set_no_execute(bool on)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_EFER));
	low = on ? low | EFER_NXE : low & ~(uint32_t)EFER_NXE;
	__asm__ volatile("wrmsr" : : "a"(low), "d"(high), "c"(MSR_EFER) : "memory");
}

static inline void alias_set_smep(void)
{
	uint64_t cr;

	__asm__ volatile("mov %%cr4, %0" : "=r"(cr));
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr | CR4_SMEP) : "memory");
}

static inline void alias_flush(void)
{
	uint64_t cr;

	__asm__ volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r"(cr) : : "memory");
}

#endif
