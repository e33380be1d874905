/* SPDX-License-Identifier: GPL-2.0-only */
/* What both loaders say of a run, by the functions that both have. */
#ifndef LINE_H
#define LINE_H

#include "image.h"

enum { LINE_MOST = 500 };

static inline char *line_number(char *to, uint64_t value, unsigned base)
{
	char digits[20];
	unsigned n = 0;

	do
		digits[n++] = "0123456789abcdef"[value % base];
	while (value /= base);
	while (n)
		*to++ = digits[--n];
	*to++ = ' ';
	return to;
}

/* instructions branches registers vectors x87 memory mxcsr fcw fsw text */
static inline void line_of(char *line, const struct image *image, uint64_t instructions, uint64_t branches)
{
	struct image_state state = image_state(image);

	line = line_number(line, instructions, 10);
	line = line_number(line, branches, 10);
	line = line_number(line, state.registers, 16);
	line = line_number(line, state.vectors, 16);
	line = line_number(line, state.x87, 16);
	line = line_number(line, state.memory, 16);
	line = line_number(line, state.mxcsr, 16);
	line = line_number(line, state.fcw, 16);
	line = line_number(line, state.fsw, 16);
	for (unsigned i = 0; image->text[i] && i < 250; i++)
		*line++ = image->text[i];
	*line = 0;
}

#endif
