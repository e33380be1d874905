/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest.h"

enum {
	PAGE_PRESENT = 1 << 0,
	PAGE_WRITABLE = 1 << 1,
	PAGE_USER = 1 << 2,
	PAGE_LARGE = 1 << 7,
	TABLE_ENTRIES = 512,
	LEVELS = 4,
};

#define PAGE_ADDRESS 0x000ffffffffff000ull

static uint64_t *table_root(void)
{
	uint64_t cr3;

	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	return (uint64_t *)(cr3 & PAGE_ADDRESS);
}

static void invalidate(uint64_t address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

/* Replaces the large page of this entry, at a level whose entries map `bytes` each, by a
 * table of smaller ones that map the same. */
static void split_entry(uint64_t *entry, uint64_t bytes)
{
	uint64_t *table = memory_need(PAGE_BYTES, PAGE_BYTES), small = bytes / TABLE_ENTRIES;
	uint64_t flags = *entry & (PAGE_PRESENT | PAGE_WRITABLE | PAGE_USER);

	if (small > PAGE_BYTES)
		flags |= PAGE_LARGE;
	for (uint64_t i = 0; i < TABLE_ENTRIES; i++)
		table[i] = ((*entry & PAGE_ADDRESS & ~(bytes - 1)) + i * small) | flags;
	*entry = (uint64_t)table | PAGE_PRESENT | PAGE_WRITABLE | PAGE_USER;
}

/* The entry of the lowest level for this address, on whose way large pages are split if
 * `split`. Ends the VM when the address is not mapped. */
static uint64_t *entry_of(uint64_t address, bool split)
{
	uint64_t *table = table_root();

	for (int level = LEVELS - 1;; level--) {
		uint64_t *entry = &table[address >> (12 + 9 * level) & (TABLE_ENTRIES - 1)];

		if (level == 0)
			return entry;
		if (!(*entry & PAGE_PRESENT) || ((*entry & PAGE_LARGE) && !split)) {
			console_printf("guest: page 0x%lx has no entry of its own\n", address);
			guest_exit(STATUS_CRASHED);
		}
		if (*entry & PAGE_LARGE)
			split_entry(entry, 1ull << (12 + 9 * level));
		table = (uint64_t *)(*entry & PAGE_ADDRESS);
	}
}

void page_split(uint64_t address)
{
	entry_of(address, true);
	invalidate(address);
}

uint64_t *page_entry(uint64_t address)
{
	return entry_of(address, false);
}

void page_swap(uint64_t a, uint64_t b)
{
	uint64_t *of_a = entry_of(a, false), *of_b = entry_of(b, false), entry = *of_a;

	*of_a = *of_b;
	*of_b = entry;
	invalidate(a);
	invalidate(b);
}

void page_set_present(uint64_t address, bool present)
{
	uint64_t *entry = entry_of(address, false);

	if (present)
		__atomic_fetch_or(entry, PAGE_PRESENT, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(entry, ~(uint64_t)PAGE_PRESENT, __ATOMIC_SEQ_CST);
	invalidate(address);
}
