/* SPDX-License-Identifier: GPL-2.0-only */
/* Pieces of code for CPL 3 that run in a guest and on the processor itself: test_processor.py makes them up. */
#ifndef PROCESSOR_H
#define PROCESSOR_H

#include <stdint.h>

enum {
	PROCESSOR_REGISTERS = 13,
	PROCESSOR_PAGE = 4096,
	PROCESSOR_DATA = 0x3000000, /* of both: a page, and the next one is absent */
};

/* Of the generated file: R14 is where an exception goes on, R15 its stack. The first does nothing. */
extern void (*const processor_pieces[])(void);
extern const uint64_t processor_pieces_n;
extern const uint8_t processor_code[], processor_code_end[];

/* enter.S */
extern uint8_t processor_steps; /* 1: sets TF in front of the function; who catches the steps clears it behind */
extern const uint8_t processor_behind[];
void processor_enter(void (*function)(void), void *data, uint64_t *registers);

static inline void processor_fill(uint8_t *data)
{
	for (unsigned i = 0; i < PROCESSOR_PAGE; i++)
		data[i] = (uint8_t)(i * 7 + i / 64);
}

/* Of what a piece has left in memory and registers. */
static inline uint64_t processor_hash(const uint8_t *data, const uint64_t *registers)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (unsigned i = 0; i < PROCESSOR_PAGE; i++)
		hash = (hash ^ data[i]) * 0x100000001b3;
	for (unsigned i = 0; i < PROCESSOR_REGISTERS; i++)
		hash = (hash ^ registers[i]) * 0x100000001b3 ^ registers[i] >> 32;
	return hash;
}

#endif
