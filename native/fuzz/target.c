/* SPDX-License-Identifier: GPL-2.0-only */
/* What libFuzzer calls. PV_FUZZ_DESIGN and PV_FUZZ_CANARY choose what is fuzzed: a design that is
 * broken on purpose, or a defect that is planted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

enum { PIECE = sizeof(struct fuzz_record) };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *canary = getenv("PV_FUZZ_CANARY");

	(void)argc;
	(void)argv;
	fuzz_design = getenv("PV_FUZZ_DESIGN");
	if (canary && !fuzz_plant(canary)) {
		fprintf(stderr, "there is no planted defect %s\n", canary);
		exit(2);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_result result;

	fuzz_play(data, size, &result);
	return 0;
}

/* A piece moves, or is doubled, or goes: records stay whole. */
static size_t shuffle(uint8_t *data, size_t pieces, size_t most, unsigned kind, unsigned where)
{
	size_t from = 1 + where % (pieces - 1), to = 1 + where / 64 % (pieces - 1);
	uint8_t piece[PIECE];

	memcpy(piece, data + from * PIECE, PIECE);
	switch (kind) {
	case 0:
		memmove(data + from * PIECE, data + (from + 1) * PIECE, (pieces - from - 1) * PIECE);
		return (pieces - 1) * PIECE;
	case 1:
		memcpy(data + from * PIECE, data + to * PIECE, PIECE);
		memcpy(data + to * PIECE, piece, PIECE);
		return pieces * PIECE;
	default:
		if ((pieces + 1) * PIECE > most)
			return pieces * PIECE;
		memmove(data + (to + 1) * PIECE, data + to * PIECE, (pieces - to) * PIECE);
		memcpy(data + to * PIECE, piece, PIECE);
		return (pieces + 1) * PIECE;
	}
}

/* A new record, of few distinct values: most of what is known of their meaning is in small numbers. */
static size_t add_record(uint8_t *data, size_t pieces, size_t most, unsigned random)
{
	size_t at = 1 + random % pieces;

	if ((pieces + 1) * PIECE > most)
		return pieces * PIECE;
	memmove(data + (at + 1) * PIECE, data + at * PIECE, (pieces - at) * PIECE);
	for (int i = 0; i < PIECE; i++) {
		random = random * 1664525 + 1013904223;
		data[at * PIECE + (size_t)i] = random >> 31 ? (uint8_t)(random >> 16 & 7) : (uint8_t)(random >> 16);
	}
	data[at * PIECE] = (uint8_t)((random >> 8) % FUZZ_OPS);
	return (pieces + 1) * PIECE;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
	size_t pieces = size / PIECE;
	unsigned kind = seed % 8, random = seed / 8 * 2654435761u >> 4;

	if (pieces >= 2 && kind < 3)
		return shuffle(data, pieces, most, kind, random);
	if (pieces >= 1 && kind < 5)
		return add_record(data, pieces, most, random);
	return LLVMFuzzerMutate(data, size, most);
}
