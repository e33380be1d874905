/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest RAM, and everything that the host does to it. Every access of guest_mem.c comes by here: it is
 * a point before it is made, it may fail, and a write must be one that the ABI allows. Under
 * AddressSanitizer RAM is poisoned but for the bytes and the moment of such an access.
 */
#ifndef FUZZ_MEMORY_H
#define FUZZ_MEMORY_H

#include "fuzz/record.h"

extern uint8_t memory_ram[FUZZ_RAM];

void memory_reset(void);
/* The guest's own accesses. What lies outside of RAM is not written, and reads as 0. */
void memory_store(gpa_t gpa, const void *from, uint64_t size);
uint64_t memory_load(gpa_t gpa, uint64_t size);
/* The n-th access of the host's from now on fails; 0: none. */
void memory_fail(uint32_t n);
uint32_t memory_failures(void);
/* What the host has added to overflows of the guest's. */
uint64_t memory_added(void);
/* A violation if RAM is not what the guest and the host were seen to write. */
void memory_check(void);
/* Of all guest memory. */
uint64_t memory_digest(void);

#endif
