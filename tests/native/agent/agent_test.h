/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tests of what the agent's NMI handler is made of, on a piece of the heap that is
 * guest RAM: so the sanitizers see every step beside it.
 */
#ifndef AGENT_TEST_H
#define AGENT_TEST_H

#include "../checks.h"
#include "guest_walk.h"
#include "ring.h"

/* The same sequence for the same seed. */
uint64_t random_next(uint64_t *seed);

/* Guest RAM with page tables. */
enum {
	PAGE = 4096,
	TEST_PAGES = 64,
	TEST_RAM = TEST_PAGES * PAGE,
	PRESENT = 1,
	LARGE = 1 << 7,
};
struct guest_walk ram_create(void); /* CR3 is page 0, all zeros */
void ram_destroy(const struct guest_walk *walk);
uint64_t *ram_word(const struct guest_walk *walk, gpa_t gpa);
/* Maps one 4 KiB page; tables are taken from page 1 on. A page that has been mapped stays. */
void ram_map(struct guest_walk *walk, uint64_t address, gpa_t page);

/* An empty ring with this many bytes of data. */
struct ring ring_create(uint32_t bytes);
void ring_destroy(const struct ring *ring);
/* Writes one record of this size, `sequence` as its count; false: there was no room. */
bool ring_write(const struct ring *ring, uint16_t size, uint64_t sequence);
/* Reads a record that is no PAD, as the host does; false: the ring is empty. */
bool ring_read(const struct ring *ring, struct pv_sample *ret);

void test_ring_wraps(void);
void test_ring_full(void);
void test_ring_hostile(void);
void test_ring_race(void);
void test_walk_sizes(void);
void test_walk_limits(void);
void test_walk_hostile(void);
void test_chain_frames(void);
void test_chain_ends(void);
void test_chain_hostile(void);
void test_nmi_sample(void);
void test_nmi_without_ring(void);
void test_nmi_periods_add_up(void);

#endif
