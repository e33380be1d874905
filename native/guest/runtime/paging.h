/* SPDX-License-Identifier: GPL-2.0-only */
/* The loader's page tables, changed: pages that fault, and come back. */
#ifndef GUEST_PAGING_H
#define GUEST_PAGING_H

#include <stdbool.h>
#include <stdint.h>

enum { PAGE_BYTES = 4096 };

/* Gives the page at this address an entry of its own, in place of a large page's. On one
 * vCPU at a time, before the others use it: they all have the same tables. */
void page_split(uint64_t address);
/* The entry of a split page, for what the functions below do not do. */
uint64_t *page_entry(uint64_t address);
/* Exchanges what two split pages map, again before the others use them. */
void page_swap(uint64_t a, uint64_t b);
/* Takes a split page away, or gives it back, as far as this vCPU is concerned. Others that
 * have used the page may see it as it was. */
void page_set_present(uint64_t address, bool present);

#endif
