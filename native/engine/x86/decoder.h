/* SPDX-License-Identifier: GPL-2.0-only */
/* An instruction that is being decoded, byte by byte. */
#ifndef PV_DECODER_H
#define PV_DECODER_H

#include "engine/x86/insn.h"
#include "engine/x86/rows.h"

enum { X86_MAP_XOP = 8 }; /* the first one of XOP's */

struct x86_decoder {
	const struct x86_cpu *cpu;
	const uint8_t *bytes;
	size_t size;
	struct x86_insn *insn;
	unsigned at;   /* the next byte */
	bool stopped;  /* by insn->verdict: there is no next byte */
	bool refused;  /* #UD, but only once all has been fetched, as processors do it */
};

/* The next byte. 0 if there is none, which stops it. */
uint8_t x86_fetch(struct x86_decoder *d);
uint64_t x86_fetch_number(struct x86_decoder *d, unsigned bytes);
/* Takes prefixes, VEX and the opcode. */
void x86_take_opcode(struct x86_decoder *d);
/* The rows of the opcode; NULL if it has none. */
const struct x86_row *x86_rows_of(const struct x86_decoder *d);
/* The first of the rows that fits; NULL if none does. */
const struct x86_row *x86_find_row(const struct x86_decoder *d, const struct x86_row *rows);
/* What is fetched, if none fits. */
const struct x86_row *x86_shape_of(const struct x86_decoder *d, const struct x86_row *rows);

#endif
