/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Canaries: defects of one line each, planted in the core behind PV_CANARY(name), which is
 * 0 in every build but this one. A search that does not find them all proves nothing.
 */
#ifndef EXPLORE_CANARY_H
#define EXPLORE_CANARY_H

#include <stdint.h>

#define EXPLORE_CANARIES(X)                                                                       \
	X(get_without_reference)

enum explore_canary {
	CANARY_NONE = 0,
#define X(name) CANARY_##name,
	EXPLORE_CANARIES(X)
#undef X
	CANARY_MAX,
};

extern uint32_t canary_active;
#define PV_CANARY(name) (canary_active == CANARY_##name)

#endif
