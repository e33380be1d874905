/* SPDX-License-Identifier: GPL-2.0-only */
#include "report.h"

#include <string.h>

#include "cases/form.h"
#include "cases/judge.h"

void report_hash(uint64_t hash)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char text[2];

	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = letters[hash >> (40 + 6 * i) & 63];
	out_write(text, sizeof(text));
}

static void out_text(const char *text)
{
	out_write(text, strlen(text));
}

void report_no_hash(void)
{
	out_text("..");
}

static void out_hex(uint64_t value, unsigned digits)
{
	char text[16];
	unsigned n = 0;

	for (unsigned i = 16; i-- > 0;)
		if (value >> 4 * i || n || i < digits)
			text[n++] = "0123456789abcdef"[value >> 4 * i & 15];
	out_write(text, n);
}

static void out_field(const char *name, uint64_t value)
{
	out_text(" ");
	out_text(name);
	out_text("=");
	out_hex(value, 1);
}

static void out_bytes(const char *name, unsigned number, const uint8_t *low, unsigned lows, const uint8_t *high, unsigned highs)
{
	out_text(" ");
	out_text(name);
	out_hex(number, 1);
	out_text("=");
	for (unsigned i = highs; i-- > 0;)
		out_hex(high[i], 2);
	for (unsigned i = lows; i-- > 0;)
		out_hex(low[i], 2);
}

static void out_state(const struct state *state)
{
	static const char *const names[REGISTERS] = {
		"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
	};
	const uint8_t *x = state->xstate;

	out_field("rip", state->rip);
	out_field("flags", state->rflags);
	out_field("fsbase", state->fs_base);
	out_field("gsbase", state->gs_base);
	for (unsigned i = 0; i < REGISTERS; i++)
		out_field(names[i], state->gpr[i]);
	out_field("mxcsr", (uint64_t)x[24] | (uint64_t)x[25] << 8 | (uint64_t)x[26] << 16);
	out_field("fcw", (uint64_t)x[0] | (uint64_t)x[1] << 8);
	out_field("fsw", (uint64_t)x[2] | (uint64_t)x[3] << 8);
	out_field("ftw", x[4]);
	for (unsigned i = 0; i < 8; i++)
		out_bytes("st", i, x + 32 + 16 * i, 10, x, 0);
	for (unsigned i = 0; i < VECTOR_REGISTERS; i++)
		out_bytes("v", i, x + 160 + 16 * i, 16, x + XSTATE_YMM + 16 * i, 16);
}

static void out_case(const struct test_case *c, uint64_t features)
{
	out_text("case");
	out_field("number", c->number);
	out_field("simplify", c->simplify);
	out_field("map", c->form.map);
	out_field("opcode", c->form.opcode);
	out_field("pp", c->form.pp);
	out_field("w", c->form.w);
	out_field("l", c->form.l);
	out_field("group", form_is_group(&c->form) ? form_reg(&c->form) : 8);
	out_field("modrm", c->form.has_modrm ? c->form.modrm : 0x100);
	out_field("prefixes", c->form.prefixes);
	out_field("target", c->target);
	out_field("offered", !(features_needed(&c->form) & ~features));
	out_bytes("code", 0, c->code, 0, c->code, 0);
	for (unsigned i = 0; i < c->length; i++)
		out_hex(c->code[i], 2);
	out_text("\nin");
	out_state(&c->state);
	out_bytes("operand", 0, c->operand, OPERAND_BYTES, c->operand, 0);
}

void report_all(const struct test_case *c, uint64_t features, const struct result *result, const struct changes *changes)
{
	out_case(c, features);
	out_text("\nout");
	out_field("vector", result->vector);
	out_field("error", result->error);
	out_field("cr2", result->cr2);
	out_state(&result->state);
	out_field("memory", changes->number);
	out_field("memoryhash", changes->hash);
	for (unsigned i = 0; i < changes->number && i < CHANGES_SHOWN; i++) {
		out_text(" [");
		out_hex(DATA + 8 * (uint64_t)changes->shown[i].word, 1);
		out_text("]=");
		out_hex(changes->shown[i].value, 16);
	}
	out_text("\n");
}
