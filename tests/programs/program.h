/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a program has to hand: program() computes something from numbers that look random, checks it, and prints a
 * line. No libc, no system: the same object code runs in a guest and in a process.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

void program(void);

/* library.c: what compilers call by themselves, and a few more of a libc. */
void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);

/* The output, a line at most. */
void print(const char *text);
void print_number(uint64_t value);
void print_hex(uint64_t value);
/* `what` is in the output as wrong unless `right`. */
void check(bool right, const char *what);

/* xorshift64*, from a seed that is not 0. */
struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *random)
{
	random->state ^= random->state >> 12;
	random->state ^= random->state << 25;
	random->state ^= random->state >> 27;
	return random->state * 0x2545f4914f6cdd1d;
}

static inline uint32_t random_below(struct random *random, uint32_t limit)
{
	return (uint32_t)((random_next(random) >> 32) * limit >> 32);
}

/* In [0, 1). */
static inline double random_unit(struct random *random)
{
	return (double)(random_next(random) >> 11) * 0x1p-53;
}

/* FNV-1a. */
static inline uint64_t digest(const void *data, size_t n)
{
	const uint8_t *byte = data;
	uint64_t hash = 0xcbf29ce484222325;

	while (n--)
		hash = (hash ^ *byte++) * 0x100000001b3;
	return hash;
}

#endif
