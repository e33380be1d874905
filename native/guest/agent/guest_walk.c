/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest_walk.h"

enum {
	ENTRY_PRESENT = 1 << 0,
	ENTRY_LARGE = 1 << 7, /* in the second and third level: a page, not a table */
	PAGE_SHIFT = 12,
	LEVEL_BITS = 9,
	LEVELS = 4,
	ADDRESS_BITS = 52, /* of an entry: bits 51 to 12 are an address */
};

/* The aligned word at a gpa, if it is RAM. */
static bool physical_read(const struct guest_walk *walk, gpa_t gpa, uint64_t *ret)
{
	if (walk->ram_size < sizeof(*ret) || gpa > walk->ram_size - sizeof(*ret))
		return false;
	*ret = __atomic_load_n((const uint64_t *)(walk->ram + gpa), __ATOMIC_RELAXED);
	return true;
}

/* What `entry` points to, when that is aligned to 2^shift bytes. */
static gpa_t entry_address(uint64_t entry, unsigned shift)
{
	return entry & ((1ull << ADDRESS_BITS) - (1ull << shift));
}

bool guest_translate(const struct guest_walk *walk, uint64_t address, gpa_t *ret)
{
	gpa_t table = entry_address(walk->cr3, PAGE_SHIFT);
	uint64_t entry;

	for (unsigned level = LEVELS; level-- > 0;) {
		unsigned shift = PAGE_SHIFT + level * LEVEL_BITS;
		uint64_t index = address >> shift & ((1u << LEVEL_BITS) - 1);

		if (!physical_read(walk, table + index * sizeof(entry), &entry) || !(entry & ENTRY_PRESENT))
			return false;
		if (level == 0 || (level < LEVELS - 1 && entry & ENTRY_LARGE)) {
			*ret = entry_address(entry, shift) | (address & ((1ull << shift) - 1));
			return true;
		}
		table = entry_address(entry, PAGE_SHIFT);
	}
	return false;
}

bool guest_read(const struct guest_walk *walk, uint64_t address, uint64_t *ret)
{
	gpa_t gpa;

	return address % sizeof(*ret) == 0 && address_is_canonical(address) &&
	       guest_translate(walk, address, &gpa) && physical_read(walk, gpa, ret);
}
