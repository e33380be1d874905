/* SPDX-License-Identifier: GPL-2.0-only */
#include "run.h"

#include <string.h>

#include "cases/form.h"
#include "report.h"

enum { WORDS = DATA_BYTES / 8 };

/* What memory holds before each case, and what this one finds there. */
static uint64_t pristine[WORDS], found[WORDS];

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
	run->offered = features_offered();
	run->filter.features = option_value(option, "features", run->offered);
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

/* Puts bytes where the operand lies, as far as there is memory. */
static void place(struct run *run, uint64_t address, const uint8_t *bytes)
{
	for (unsigned i = 0; i < OPERAND_BYTES; i++) {
		uint64_t at = address + i - DATA;

		if (at < DATA_BYTES)
			((uint8_t *)found)[at] = run->data[at] = bytes[i];
	}
}

/* And takes them away. */
static void clear(struct run *run, uint64_t address)
{
	for (unsigned i = 0; i < OPERAND_BYTES; i++) {
		uint64_t at = address + i - DATA;

		if (at < DATA_BYTES)
			((uint8_t *)found)[at] = run->data[at] = ((uint8_t *)pristine)[at];
	}
}

static void place_operand(struct run *run)
{
	if (!run->c.target)
		return;
	if (run->c.has_header)
		place(run, run->c.target + XSTATE_HEADER, run->c.header);
	place(run, run->c.target, run->c.operand);
}

static void take_operand(struct run *run)
{
	if (!run->c.target)
		return;
	if (run->c.has_header)
		clear(run, run->c.target + XSTATE_HEADER);
	clear(run, run->c.target);
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
	struct span spans[HIDDEN_SPANS];

	judge_hidden_memory(&run->c.form, spans);
	for (unsigned i = 0; i < HIDDEN_SPANS; i++)
		for (unsigned at = spans[i].from; at < spans[i].to; at++)
			if (run->c.target + at - DATA < DATA_WRITABLE * PAGE)
				run->data[run->c.target + at - DATA] = ((uint8_t *)found)[run->c.target + at - DATA];
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
	hash = mix(mix(hash, result->state.fs_base), result->state.gs_base);
	for (unsigned at = 0; at < XSTATE_BYTES; at += 8) {
		memcpy(&word, result->state.xstate + at, 8);
		hash = mix(hash, word);
	}
	return hash;
}

/* Whether this processor can say what is right. */
static bool may_judge(const struct run *run)
{
	const uint64_t unknown = run->filter.features & ~run->offered;

	return !run->native || !((features_needed(&run->c.form) & unknown) || judge_undefined(&run->c));
}

/* What a processor does that has not what the guest's CPUID does not offer. */
static void expect_undefined(const struct test_case *c, struct result *result, struct changes *changes)
{
	enum { VECTOR_INVALID_OPCODE = 6, VECTOR_PAGE_FAULT = 14, LENGTH_MOST = 15 };

	/* It has to be fetched for that, and not to be too long. */
	if (c->length > LENGTH_MOST)
		return;
	if (result->vector == VECTOR_PAGE_FAULT && result->cr2 == CODE_END && result->state.rip == c->address)
		return;
	*result = (struct result){ .state = c->state, .vector = VECTOR_INVALID_OPCODE };
	result->state.rflags |= FLAG_RF;
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
		report_all(&run->c, run->filter.features, result, &changes);
	else if (may_judge(run))
		report_hash(hash_of(result, &changes));
	else
		report_no_hash();
}
