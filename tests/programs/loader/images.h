/* SPDX-License-Identifier: GPL-2.0-only */
/* Every image, one behind the other, as the guest has them: made by build.py. */
#ifndef IMAGES_H
#define IMAGES_H

#include <stdint.h>

struct embedded {
	const uint8_t *begin, *end;
};

extern const struct embedded images[];
extern const uint64_t images_n;

#endif
