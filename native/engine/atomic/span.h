/* SPDX-License-Identifier: GPL-2.0-only */
/* Two pages of guest RAM that the guest has put side by side, side by side in host memory, too. */
#ifndef PV_SPAN_H
#define PV_SPAN_H

#include <stdint.h>

struct span {
	uint8_t *pages; /* of the host's, two; NULL: not needed yet */
};

/* What lies at both is one memory: a locked instruction of the host across the two is atomic for
 * every process that shares guest RAM. Until the next call. NULL: the host refused, see errno. */
uint8_t *span_map(struct span *span, uint8_t *first, uint8_t *second);
void span_unmap(struct span *span);

#endif
