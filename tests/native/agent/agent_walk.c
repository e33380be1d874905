/* SPDX-License-Identifier: GPL-2.0-only */
#include "agent_test.h"

#include <stdlib.h>
#include <string.h>

struct guest_walk ram_create(void)
{
	uint8_t *ram = aligned_alloc(PAGE, TEST_RAM);

	if (!ram)
		abort();
	memset(ram, 0, TEST_RAM);
	return (struct guest_walk){ .ram = (uint64_t)ram, .ram_size = TEST_RAM };
}

void ram_destroy(const struct guest_walk *walk)
{
	free((void *)walk->ram);
}

uint64_t *ram_word(const struct guest_walk *walk, gpa_t gpa)
{
	return (uint64_t *)(walk->ram + gpa);
}

/* The table that entry `index` of `table` points to; a new one if there is none. */
static gpa_t table_below(const struct guest_walk *walk, gpa_t table, uint64_t index)
{
	uint64_t *entry = ram_word(walk, table + 8 * index);
	gpa_t page = PAGE;

	if (*entry)
		return *entry & ~(uint64_t)(PAGE - 1);
	while (*ram_word(walk, page + PAGE - 8)) /* mark of a table: its last entry is never used */
		page += PAGE;
	*ram_word(walk, page + PAGE - 8) = 2;
	*entry = page | PRESENT;
	return page;
}

void ram_map(struct guest_walk *walk, uint64_t address, gpa_t page)
{
	gpa_t table = walk->cr3;

	for (unsigned shift = 39; shift > 12; shift -= 9)
		table = table_below(walk, table, address >> shift & 511);
	*ram_word(walk, table + 8 * (address >> 12 & 511)) = page | PRESENT;
}

static void check_maps(const struct guest_walk *walk, uint64_t address, gpa_t expected)
{
	gpa_t gpa = ~0ull;

	CHECK(guest_translate(walk, address, &gpa));
	CHECK_EQ(gpa, expected);
}

/* Pages of 4 KiB, 2 MiB and 1 GiB; what is not present at any level; flags above bit 51 mean nothing. */
void test_walk_sizes(void)
{
	struct guest_walk walk = ram_create();
	uint64_t flags = 1ull << 63 | 1ull << 52 | 0x66; /* no-execute; writable, user, accessed, dirty */
	gpa_t gpa;

	*ram_word(&walk, 8 * 3) = 1 * PAGE | PRESENT | flags;
	*ram_word(&walk, 1 * PAGE + 8 * 4) = 2 * PAGE | PRESENT | flags;
	*ram_word(&walk, 1 * PAGE + 8 * 5) = 7ull << 30 | PRESENT | LARGE | flags;
	*ram_word(&walk, 2 * PAGE + 8 * 6) = 3 * PAGE | PRESENT | flags;
	*ram_word(&walk, 2 * PAGE + 8 * 7) = 9ull << 21 | PRESENT | LARGE | flags | 1 << 12; /* and PAT */
	*ram_word(&walk, 3 * PAGE + 8 * 8) = 11 * PAGE | PRESENT | flags | LARGE; /* there: PAT */
	walk.cr3 = 0x18; /* caching bits, no address */
	check_maps(&walk, 3ull << 39 | 4ull << 30 | 6ull << 21 | 8ull << 12 | 0x123, 11 * PAGE + 0x123);
	check_maps(&walk, 3ull << 39 | 4ull << 30 | 7ull << 21 | 0x1fffff, (9ull << 21) + 0x1fffff);
	check_maps(&walk, 3ull << 39 | 5ull << 30 | 0x3fffffff, (7ull << 30) + 0x3fffffff);
	CHECK(!guest_translate(&walk, 2ull << 39, &gpa));
	CHECK(!guest_translate(&walk, 3ull << 39 | 3ull << 30, &gpa));
	CHECK(!guest_translate(&walk, 3ull << 39 | 4ull << 30 | 5ull << 21, &gpa));
	CHECK(!guest_translate(&walk, 3ull << 39 | 4ull << 30 | 6ull << 21 | 7ull << 12, &gpa));
	*ram_word(&walk, 8 * 3) |= LARGE; /* there are no pages of 512 GiB: still a table */
	check_maps(&walk, 3ull << 39 | 5ull << 30, 7ull << 30);
	ram_destroy(&walk);
}

/* Words: the last of RAM and the first behind it, aligned, at canonical addresses. */
void test_walk_limits(void)
{
	struct guest_walk walk = ram_create();
	uint64_t high = ~0ull << 47, word;

	ram_map(&walk, 0x400000, TEST_RAM - PAGE);
	ram_map(&walk, 0x401000, TEST_RAM);
	ram_map(&walk, 0x402000, (1ull << 52) - PAGE);
	ram_map(&walk, high, TEST_RAM - PAGE);
	*ram_word(&walk, TEST_RAM - 8) = 0x1122334455667788;
	CHECK(guest_read(&walk, 0x400ff8, &word) && word == 0x1122334455667788);
	CHECK(guest_read(&walk, high + 0xff8, &word) && word == 0x1122334455667788);
	CHECK(!guest_read(&walk, 0x401000, &word));
	CHECK(!guest_read(&walk, 0x402ff8, &word));
	for (unsigned i = 1; i < 8; i++)
		CHECK(!guest_read(&walk, 0x400ff0 + i, &word));
	CHECK(!guest_read(&walk, 0x400ff8 | 1ull << 47, &word));
	CHECK(!guest_read(&walk, 0x400ff8 | 1ull << 63, &word));
	for (unsigned shift = 0; shift < 64; shift++) { /* tables behind RAM */
		walk.cr3 = 1ull << shift;
		guest_read(&walk, 0x400ff8, &word);
		if (shift >= 18) /* 2^18 is the size of RAM */
			CHECK(shift >= 52 || !guest_read(&walk, 0x400ff8, &word));
	}
	walk.cr3 = TEST_RAM - 8; /* rounded down to the last page, all but its last word zeros */
	CHECK(!guest_read(&walk, 0x400ff8, &word));
	walk.ram_size = 7;
	CHECK(!guest_read(&walk, 0x400ff8, &word));
	ram_destroy(&walk);
}

/* The rules once more, written out level by level. */
static bool reference_read(const struct guest_walk *walk, uint64_t va, uint64_t *ret)
{
	const uint64_t field = 0x000ffffffffff000;
	uint64_t e[4], at = walk->cr3 & field, mask = 0xfff, page;
	int level;

	for (level = 3; level >= 0; level--) {
		uint64_t gpa = at + 8 * (va >> (12 + 9 * level) & 0x1ff);

		if (gpa / 8 >= TEST_RAM / 8)
			return false;
		memcpy(&e[level], (uint8_t *)walk->ram + gpa, 8);
		if (e[level] % 2 == 0)
			return false;
		at = e[level] & field;
		if ((level == 2 || level == 1) && e[level] / 128 % 2)
			break;
	}
	if (level == 2)
		mask = 0x3fffffff;
	else if (level == 1)
		mask = 0x1fffff;
	page = (at & ~mask) + (va & mask);
	if (page / 8 >= TEST_RAM / 8)
		return false;
	memcpy(ret, (uint8_t *)walk->ram + page, 8);
	return true;
}

/* RAM full of entries that point anywhere: every walk ends, within RAM, and as the reference says. */
void test_walk_hostile(void)
{
	struct guest_walk walk = ram_create();
	uint64_t seed = 4, readable = 0;

	for (gpa_t at = 0; at < TEST_RAM; at += 8) {
		uint64_t entry = random_next(&seed), where = random_next(&seed) % 8;

		entry |= random_next(&seed) % 8 ? PRESENT : 0;
		entry &= random_next(&seed) % 8 ? ~(uint64_t)LARGE : ~0ull;
		if (where < 6) /* RAM, and a little behind */
			entry = (entry & 0xfff) | (random_next(&seed) % (TEST_PAGES + 2)) * PAGE;
		*ram_word(&walk, at) = entry;
	}
	for (unsigned i = 0; i < 1000000; i++) {
		uint64_t address = (uint64_t)((int64_t)random_next(&seed) >> 16) & ~7ull;
		uint64_t word = 0, expected = 0;
		bool ok;

		walk.cr3 = random_next(&seed) % 8 ? random_next(&seed) % TEST_RAM : random_next(&seed);
		ok = guest_read(&walk, address, &word);
		CHECK_EQ(ok, reference_read(&walk, address, &expected));
		CHECK_EQ(word, expected);
		readable += ok;
	}
	CHECK(readable > 100000 && readable < 900000);
	ram_destroy(&walk);
}
