/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PV_KERNEL_READ_H
#define PV_KERNEL_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <unicorn/unicorn.h>

/* Guest memory at a linear address with CPL 0's rights, as the processor reads its tables in whatever CPL. False: *address is
 * the first that cannot be read. */
bool kernel_read(uc_engine *uc, uint64_t *address, void *to, size_t size);

#endif
