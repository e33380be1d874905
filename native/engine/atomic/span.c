/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/atomic/span.h"

#include <stddef.h>
#include <sys/mman.h>

enum { PAGE = 4096 };

/* Of a shared mapping, mremap() of no bytes makes a second one. */
static int map_again(uint8_t *page, uint8_t *at)
{
	return mremap(page, 0, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at) == MAP_FAILED ? -1 : 0;
}

uint8_t *span_map(struct span *span, uint8_t *first, uint8_t *second)
{
	if (!span->pages) {
		void *pages = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (pages == MAP_FAILED)
			return NULL;
		span->pages = pages;
	}
	return map_again(first, span->pages) || map_again(second, span->pages + PAGE) ? NULL : span->pages;
}

void span_unmap(struct span *span)
{
	if (span->pages)
		munmap(span->pages, 2 * PAGE);
	span->pages = NULL;
}
