/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/models/breakpoint.h"

#include <string.h>

enum {
	PAGE = 4096,
	ENTRY_PRESENT = 1 << 0,
	ENTRY_LARGE = 1 << 7,
	LEVELS = 4,
	LEVEL_BITS = 9,
};
static const uint64_t entry_address = 0x000ffffffffff000;
static const gpa_t unmapped = UINT64_MAX;

/* The gpa of the page that holds `address`, by a 4-level walk (SDM vol. 3, 4.5), or `unmapped`. */
static gpa_t page_of(const struct address_space *space, uint64_t address)
{
	gpa_t table = space->cr3 & entry_address;

	for (unsigned shift = 12 + (LEVELS - 1) * LEVEL_BITS;; shift -= LEVEL_BITS) {
		gpa_t at = table + (address >> shift & ((1 << LEVEL_BITS) - 1)) * 8;
		uint64_t entry, inside = (1ull << shift) - 1;

		if (at > space->ram_size - sizeof(entry))
			return unmapped;
		memcpy(&entry, space->ram + at, sizeof(entry));
		if (!(entry & ENTRY_PRESENT))
			return unmapped;
		if (shift == 12 || (shift <= 30 && (entry & ENTRY_LARGE)))
			return ((entry & entry_address & ~inside) | (address & inside)) & ~(gpa_t)(PAGE - 1);
		table = entry & entry_address;
	}
}

bool breakpoint_may_be_touched(const struct pv_breakpoint *breakpoint, gpa_t gpa, uint32_t size)
{
	uint64_t first = breakpoint->address % PAGE, at = gpa % PAGE, end = at + size;

	return (at < first + breakpoint->length && end > first) || end > PAGE + first;
}

bool breakpoint_touched(const struct address_space *space, const struct pv_breakpoint *breakpoint, gpa_t gpa,
			uint32_t size)
{
	uint64_t first = breakpoint->address % PAGE, behind = first + breakpoint->length;
	uint64_t at = gpa % PAGE, end = at + size;
	gpa_t page = gpa - at;

	if (at < behind && end > first && page_of(space, breakpoint->address) == page)
		return true;
	return end > PAGE + first && page_of(space, breakpoint->address - PAGE) == page;
}
