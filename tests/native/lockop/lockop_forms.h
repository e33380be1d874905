/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every form of a lockable instruction, and an assembler for them: written from the
 * opcode tables of the SDM, apart from the decoder that it tests.
 */
#ifndef LOCKOP_FORMS_H
#define LOCKOP_FORMS_H

#include <stdbool.h>
#include <stdint.h>

enum {
	MAX_FORMS = 160,
	MAX_LENGTH = 15, /* of an instruction */
	NO_REGISTER = 0xff,
	HIGH_BYTE = 16, /* register operands 16..19: AH CH DH BH */
};

enum form_operand { FORM_REGISTER, FORM_IMMEDIATE, FORM_ALONE };

struct form {
	char name[32];
	uint8_t opcode, digit; /* digit: ModRM's reg, where it is part of the opcode */
	uint8_t width;         /* bytes */
	uint8_t immediate;     /* bytes of it */
	enum form_operand operand;
	bool two_byte, lock;
	bool bit;      /* a bt*: a register offset reaches beyond the operand */
	bool compares; /* with RAX, or RDX:RAX */
};

enum addressing_kind {
	BASE, BASE_DISP8, BASE_DISP32, BASE_INDEX, BASE_INDEX_DISP8, BASE_INDEX_DISP32,
	INDEX_DISP32, ABSOLUTE, RIP_RELATIVE, ADDRESSING_KINDS,
};

struct addressing {
	enum addressing_kind kind;
	uint8_t segment_prefix; /* 0, 0x64, 0x65 */
	bool address32;
};

/* An instruction, with what the test must know to aim it. */
struct encoding {
	const struct form *form;
	struct addressing addressing;
	uint8_t bytes[24]; /* an attempt may be longer than the 15 that are allowed */
	unsigned length;
	unsigned displacement_at; /* where the 32-bit one of ABSOLUTE and RIP_RELATIVE is */
	uint8_t base, index, scale, reg; /* NO_REGISTER: none */
	int32_t displacement;
};

struct random {
	uint64_t state;
};

uint64_t random_next(struct random *r);
unsigned random_below(struct random *r, unsigned limit);

/* How many there are. */
unsigned forms_fill(struct form forms[MAX_FORMS]);
/* Random registers, displacement, immediate and useless prefixes. */
void form_encode(const struct form *form, struct addressing addressing, struct random *r,
		 struct encoding *ret);
/* `lock op [base], reg`, nothing random; the immediate is 1. */
void form_encode_plain(const struct form *form, uint8_t base, uint8_t reg, struct encoding *ret);

#endif
