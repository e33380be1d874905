/* SPDX-License-Identifier: GPL-2.0-only */
/* A program as it lies in memory, the same bytes in a guest and in a process: image.S. */
#ifndef IMAGE_H
#define IMAGE_H

#include <stdint.h>

enum {
	IMAGE_BASE = 0x3000000, /* image.ld has it, too; two large pages from here on are the image's */
	IMAGE_BYTES = 0x400000,
	IMAGE_TEXT = 400, /* of its output, with the NUL */
};

/* At IMAGE_BASE. The first part is fixed at link time, the second is the loader's, the third what has been left. */
struct image {
	void (*enter)(void);  /* runs the program; a C function without arguments */
	uint64_t behind;      /* where the program has returned to */
	uint8_t *data, *bss, *end;
	const char *text; /* what it has printed */

	uint8_t steps, wide; /* set TF; fill and save the upper halves of YMM */
	uint8_t pad[6];
	uint64_t saved; /* the caller's RSP */

	uint64_t registers[16]; /* in the processor's order */
	uint64_t pad2[2];
	uint8_t fxsave[512];
	uint8_t upper[16][16];
};
_Static_assert(__builtin_offsetof(struct image, fxsave) == 208, "image.S");

static inline struct image *image_at_base(void)
{
	return (struct image *)(uintptr_t)IMAGE_BASE;
}

static inline uint64_t image_hash(const void *from, const void *to)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (const uint64_t *word = from; word < (const uint64_t *)to; word++)
		hash = (hash ^ *word) * 0x9e3779b97f4a7c15 ^ hash >> 29;
	return hash;
}

/* What is left behind a run, in parts, so that a difference says where it is. */
struct image_state {
	uint64_t registers, vectors, x87, memory;
	uint32_t mxcsr;
	uint16_t fcw, fsw;
};

static inline struct image_state image_state(const struct image *image)
{
	const uint8_t *area = image->fxsave;
	struct image_state state = {
		.registers = image_hash(image->registers, image->registers + 16),
		.memory = image_hash(image->data, image->end),
	};

	__builtin_memcpy(&state.fcw, area, 2);
	__builtin_memcpy(&state.fsw, area + 2, 2);
	__builtin_memcpy(&state.mxcsr, area + 24, 4);
	/* Not where the last x87 instruction lay: only some processors say that. */
	state.x87 = image_hash(area + 32, area + 160) ^ area[4];
	state.vectors = image_hash(area + 160, area + 416) ^ image_hash(image->upper, image->upper + 16);
	return state;
}

#endif
