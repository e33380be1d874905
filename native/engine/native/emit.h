/* SPDX-License-Identifier: GPL-2.0-only */
/* Code of a stub in the making, byte by byte. */
#ifndef PV_EMIT_H
#define PV_EMIT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "engine/native/stub.h"

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R12 = 12 };

/* A stub in the making. */
struct emitter {
	uint8_t *at;
	const struct x86_insn *insn; /* what all of them need together */
	uint8_t state, memory, pass; /* registers that hold the arguments */
	uint8_t sp;                  /* the register that stands for RSP */
	uint16_t used;               /* registers that the instruction has, RSP being `sp` */
	uint16_t saved;
};

static inline void emit_byte(struct emitter *e, unsigned value)
{
	*e->at++ = (uint8_t)value;
}

static inline void emit_dword(struct emitter *e, uint32_t value)
{
	memcpy(e->at, &value, sizeof(value));
	e->at += sizeof(value);
}

/* ModRM of `reg` and memory at `base`, which is none of RSP and R12. */
static inline void memory_at(struct emitter *e, unsigned reg, unsigned base, size_t offset)
{
	emit_byte(e, 0x80 | (reg & 7) << 3 | (base & 7));
	emit_dword(e, (uint32_t)offset);
}

static inline void store_flags(struct emitter *e)
{
	emit_byte(e, 0x0f); /* seto %al */
	emit_byte(e, 0x90);
	emit_byte(e, 0xc0);
	emit_byte(e, 0x9f); /* lahf */
	emit_byte(e, 0x66); /* mov %ax, flags(pass) */
	emit_byte(e, 0x40 | (e->pass >= 8));
	emit_byte(e, 0x89);
	memory_at(e, RAX, e->pass, offsetof(struct stub_pass, flags));
}

#endif
