/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest memory as the host sees it. guest_mem.c is the only place where a gpa
 * becomes memory, and every access there is checked for range and wrap-around.
 */
#ifndef PV_GUEST_MEM_H
#define PV_GUEST_MEM_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/kvm_pv_perf.h"

struct guest_mem {
	uint8_t *ram;
	uint64_t size; /* bytes */
};

/* Do [gpa, gpa + size) all lie in RAM? */
bool guest_range_ok(const struct guest_mem *mem, gpa_t gpa, uint64_t size);
/* Copies `size` bytes out of the guest, each byte read once. 0 or -PV_EFAULT. */
int guest_copy_in(const struct guest_mem *mem, gpa_t gpa, void *ret, uint64_t size);
/* Copies `size` bytes into the guest, in no order and not at once: what was posted. 0 or -PV_EFAULT. */
int guest_copy_out(const struct guest_mem *mem, gpa_t gpa, const void *from, uint64_t size);
/* Adds up to n to a word at once, and no more than it can hold: *added. 0, -PV_EFAULT, or
 * -PV_EINVAL for a gpa that is not 4-byte aligned. */
int guest_add_s32(const struct guest_mem *mem, gpa_t gpa, uint64_t n, uint32_t *added);
/* Stores 4 bytes at once. 0, -PV_EFAULT, or -PV_EINVAL for a gpa that is not 4-byte aligned. */
int guest_store_u32(const struct guest_mem *mem, gpa_t gpa, uint32_t value);
/* Stores 8 bytes at once. 0, -PV_EFAULT, or -PV_EINVAL for a gpa that is not 8-byte aligned. */
int guest_store_u64(const struct guest_mem *mem, gpa_t gpa, uint64_t value);

#endif
