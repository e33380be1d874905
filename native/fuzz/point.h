/* SPDX-License-Identifier: GPL-2.0-only */
/* Included before all else in the core that is fuzzed: its points are places where another vCPU
 * may come in between, and one of the explorer's planted defects can be switched on. */
#ifndef FUZZ_POINT_H
#define FUZZ_POINT_H

#include "explore/fibers/canary.h"

void fuzz_point(const char *where);
#define pv_point(tag) fuzz_point(tag)

#endif
