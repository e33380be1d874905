/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Does an access touch a watched range, if only its gpa is known? That is so where Unicorn was loaded before the library of
 * access.c, as it is in no VM: the range, which is at a virtual address, is looked up in the guest's page tables whenever
 * an access falls on the same bytes of a page. The consequence: an access through another virtual address of the same memory
 * counts too, as it would not on hardware.
 */
#ifndef PV_BREAKPOINT_H
#define PV_BREAKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/run_page.h"

/* What the lookup goes through. */
struct address_space {
	const uint8_t *ram;
	uint64_t ram_size;
	uint64_t cr3;
};

/*
 * Does an access of `size` bytes, a page at most, at `gpa` touch it? The breakpoint lies in
 * one page, as its alignment (see attr.c) makes sure. If the access crosses into another page, that
 * is the next one by virtual address.
 */
bool breakpoint_touched(const struct address_space *space, const struct pv_breakpoint *breakpoint, gpa_t gpa,
			uint32_t size);
/* The same without page tables: false is certain. */
bool breakpoint_may_be_touched(const struct pv_breakpoint *breakpoint, gpa_t gpa, uint32_t size);

#endif
