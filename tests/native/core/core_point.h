/* SPDX-License-Identifier: GPL-2.0-only */
/* Included before all else in the core that is tested: places where another vCPU may come in between. */
#ifndef CORE_POINT_H
#define CORE_POINT_H

void test_point(const char *tag);
#define pv_point(tag) test_point(tag)

#endif
