/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PV_REAL_MODE_H
#define PV_REAL_MODE_H

#include <stdint.h>

#include <unicorn/unicorn.h>

/* The CPU is as after INIT and a STARTUP with that vector: at the beginning of that page. 0, or -EOPNOTSUPP. */
int real_mode_enter(uc_engine *uc, uint8_t vector);

#endif
