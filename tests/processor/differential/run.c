/* SPDX-License-Identifier: GPL-2.0-only */
#include "run.h"

#include <string.h>

#include "form.h"

enum { WORDS = DATA_BYTES / 8, CHANGES_SHOWN = 12 };

/* What memory holds before each case, and what this one finds there. */
static uint64_t pristine[WORDS], found[WORDS];

struct changes {
	uint64_t hash;
	unsigned number;
	struct {
		uint32_t word;
		uint64_t value;
	} shown[CHANGES_SHOWN];
};

static uint64_t number_of(const char **text)
{
	uint64_t value = 0;
	unsigned base = 10;

	if ((*text)[0] == '0' && (*text)[1] == 'x') {
		base = 16;
		*text += 2;
	}
	for (;; (*text)++) {
		unsigned c = (unsigned char)**text, digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;

		if (digit >= base)
			return value;
		value = value * base + digit;
	}
}

static uint64_t option_value(run_option option, const char *key, uint64_t otherwise)
{
	const char *text = option(key);

	return text ? number_of(&text) : otherwise;
}

void run_begin(struct run *run, run_option option)
{
	struct dice dice;

	run->filter.seed = option_value(option, "seed", 1);
	run->filter.maps = (uint32_t)option_value(option, "maps", 0);
	run->filter.opcode = (int)option_value(option, "opcode", (uint64_t)-1);
	run->filter.features = option_value(option, "features", features_offered());
	run->next = option_value(option, "from", 0);
	run->end = run->next + option_value(option, "cases", 1000);
	run->list = option("list");
	run->plant = (int)option_value(option, "plant", (uint64_t)-1);
	run->verbose = option_value(option, "verbose", 0);
	dice = (struct dice){ run->filter.seed };
	for (unsigned at = 0; at < WORDS; at += 8)
		dice_elements(&dice, (uint8_t *)&pristine[at], 64);
	memcpy(found, pristine, sizeof(found));
	memcpy(run->data, pristine, sizeof(pristine));
	memset(run->code, INT3, CODE_BYTES);
}

static bool next_number(struct run *run, uint64_t *number, uint64_t *simplify)
{
	*simplify = 0;
	if (!run->list) {
		*number = run->next++;
		return *number < run->end;
	}
	if (!*run->list)
		return false;
	*number = number_of(&run->list);
	if (*run->list == ':') {
		run->list++;
		*simplify = number_of(&run->list);
	}
	if (*run->list)
		run->list++;
	return true;
}

/* Puts the operand where it is wanted, as far as there is memory. */
static void place_operand(struct run *run)
{
	for (unsigned i = 0; i < OPERAND_BYTES; i++) {
		uint64_t at = run->c.target + i - DATA;

		if (run->c.target && at < DATA_BYTES) {
			((uint8_t *)found)[at] = run->c.operand[i];
			run->data[at] = run->c.operand[i];
		}
	}
}

static void take_operand(struct run *run)
{
	for (unsigned i = 0; i < OPERAND_BYTES; i++) {
		uint64_t at = run->c.target + i - DATA;

		if (run->c.target && at < DATA_BYTES) {
			((uint8_t *)found)[at] = ((uint8_t *)pristine)[at];
			run->data[at] = ((uint8_t *)pristine)[at];
		}
	}
}

bool run_next(struct run *run)
{
	uint64_t number, simplify;

	if (!next_number(run, &number, &simplify))
		return false;
	case_make(&run->filter, number, simplify, &run->c);
	place_operand(run);
	for (unsigned i = 0; i < run->c.length && run->c.address + i < CODE_END; i++)
		run->code[run->c.address - CODE + i] = run->c.code[i];
	return true;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9fb21c651e98df25;
	return hash ^ hash >> 29;
}

static void hide(struct run *run)
{
	unsigned from, to;

	judge_hidden_memory(&run->c.form, &from, &to);
	for (; from < to; from++)
		if (run->c.target + from - DATA < DATA_BYTES)
			run->data[run->c.target + from - DATA] = ((uint8_t *)found)[run->c.target + from - DATA];
}

/* What has changed in memory, and makes it as it was. */
static void collect_memory(struct run *run, struct changes *ret)
{
	uint64_t *data = (uint64_t *)run->data;

	hide(run);
	ret->hash = ret->number = 0;
	for (uint32_t i = 0; i < DATA_WRITABLE * PAGE / 8; i++) {
		if (data[i] == found[i])
			continue;
		ret->hash = mix(mix(ret->hash, i), data[i]);
		if (ret->number < CHANGES_SHOWN) {
			ret->shown[ret->number].word = i;
			ret->shown[ret->number].value = data[i];
		}
		ret->number++;
		data[i] = found[i];
	}
	take_operand(run);
	memset(run->code + (run->c.address - CODE), INT3,
	       run->c.address + CODE_MOST > CODE_END ? CODE_END - run->c.address : (uint64_t)CODE_MOST);
}

/* Components that are in their initial state need not be in the area. */
static void complete_xstate(uint8_t *area, bool avx)
{
	const uint8_t there = area[XSTATE_HEADER];

	if (!(there & 1)) {
		memset(area, 0, 24);
		memset(area + 32, 0, 128);
		area[0] = 0x7f;
		area[1] = 3;
	}
	if (!(there & 2))
		memset(area + 160, 0, 256);
	if (!(there & 4) || !avx)
		memset(area + XSTATE_YMM, 0, 256);
	memset(area + 5, 0, 19);  /* FOP, FIP, FDP */
	memset(area + 28, 0, 4);  /* MXCSR_MASK */
	for (unsigned i = 0; i < 8; i++)
		memset(area + 32 + 16 * i + 10, 0, 6);
	memset(area + 416, 0, XSTATE_YMM - 416);
}

static uint64_t hash_of(const struct result *result, const struct changes *changes)
{
	uint64_t hash = mix(changes->hash, result->vector), word;

	hash = mix(mix(hash, result->error), result->cr2);
	for (unsigned i = 0; i < REGISTERS; i++)
		hash = mix(hash, result->state.gpr[i]);
	hash = mix(mix(hash, result->state.rip), result->state.rflags);
	for (unsigned at = 0; at < XSTATE_BYTES; at += 8) {
		memcpy(&word, result->state.xstate + at, 8);
		hash = mix(hash, word);
	}
	return hash;
}

/* Four letters of it. */
static void out_hash(uint64_t hash)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char text[4];

	for (unsigned i = 0; i < 4; i++)
		text[i] = letters[hash >> (40 + 6 * i) & 63];
	out_write(text, sizeof(text));
}

static void out_text(const char *text)
{
	out_write(text, strlen(text));
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

static void out_all(const struct run *run, const struct result *result, const struct changes *changes)
{
	out_case(&run->c, run->filter.features);
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

/* What a processor does that has not what the guest's CPUID does not offer. */
static void expect_undefined(const struct test_case *c, struct result *result, struct changes *changes)
{
	enum { VECTOR_INVALID_OPCODE = 6 };

	*result = (struct result){ .state = c->state, .vector = VECTOR_INVALID_OPCODE };
	changes->hash = changes->number = 0;
}

void run_result(struct run *run, struct result *result)
{
	struct changes changes;
	bool avx = run->filter.features >> FEATURE_AVX & 1;

	collect_memory(run, &changes);
	if (run->native && (features_needed(&run->c.form) & ~run->filter.features))
		expect_undefined(&run->c, result, &changes);
	if (run->c.form.map == MAP_ONE && run->c.form.opcode == run->plant)
		result->state.gpr[RBP] ^= 1;
	result->state.rip -= run->c.address;
	complete_xstate(result->state.xstate, avx);
	judge_mask(&run->c, result);
	if (run->verbose)
		out_all(run, result, &changes);
	else
		out_hash(hash_of(result, &changes));
}
