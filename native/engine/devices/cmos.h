/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An MC146818 ("Real-Time Clock plus RAM", Motorola 1984) with the century where PCs have it. Its time goes with the
 * guest's clock, from a date that is always the same: two runs see the same times.
 */
#ifndef PV_CMOS_H
#define PV_CMOS_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/platform.h"

void cmos_reset(struct pv_cmos *cmos);
/* `reg` 0 is the index, which cannot be read, 1 the byte there. */
uint8_t cmos_in(struct pv_cmos *cmos, uint64_t now, unsigned reg);
void cmos_out(struct pv_cmos *cmos, uint64_t now, unsigned reg, uint8_t value);
/* Its interrupt line, at `now`. */
bool cmos_interrupt(struct pv_cmos *cmos, uint64_t now);
/* When it may be raised next; UINT64_MAX: not of itself. */
uint64_t cmos_due(const struct pv_cmos *cmos);

#endif
