/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RCL and RCR: Unicorn's set flags in front of a store that may fault. The functions of rotate.c have the names of its own, and
 * are found first, as those of exchange.h.
 */
#ifndef PV_ROTATE_H
#define PV_ROTATE_H

#include <stdint.h>

/* The arithmetic flags in front of the last one that this thread has executed. */
uint64_t pv_rotate_flags(void);

#endif
