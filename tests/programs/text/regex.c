/* SPDX-License-Identifier: GPL-2.0-only */
/* Regular expressions: one parser, a backtracking matcher, and Thompson's simulation of an NFA, which agree. */
#include "program.h"

enum { CODE = 64, TEXTS = 24, TEXT = 20 };

enum op { CHAR, ANY, SET, SPLIT, JUMP, MATCH };

struct instruction {
	uint8_t op, x, y; /* where to go on; of SPLIT both, x first */
	uint64_t set[2];
};

static struct instruction code[CODE];
static unsigned length;
static const char *at;

static unsigned emit(enum op op, unsigned x, unsigned y)
{
	code[length] = (struct instruction){ .op = (uint8_t)op, .x = (uint8_t)x, .y = (uint8_t)y };
	return length++;
}

/* Makes room for one instruction in front of what begins here; jumps behind it move. */
static void insert(unsigned here)
{
	memmove(code + here + 1, code + here, (length - here) * sizeof(code[0]));
	length++;
	for (unsigned i = here + 1; i < length; i++)
		if (code[i].op == SPLIT || code[i].op == JUMP) {
			code[i].x += code[i].x >= here;
			code[i].y += code[i].y >= here;
		}
}

static void alternatives(void);

static void parse_set(void)
{
	struct instruction *set = &code[emit(SET, 0, 0)];
	bool negated = *at == '^';

	at += negated;
	for (; *at != ']'; at++) {
		unsigned from = (uint8_t)*at, to = from;

		if (at[1] == '-' && at[2] != ']') {
			to = (uint8_t)at[2];
			at += 2;
		}
		for (; from <= to; from++)
			set->set[from / 64] |= 1ull << from % 64;
	}
	at++;
	for (unsigned i = 0; i < 2 && negated; i++)
		set->set[i] = ~set->set[i];
}

static void atom(void)
{
	char c = *at++;

	if (c == '(') {
		alternatives();
		at++;
	} else if (c == '[') {
		parse_set();
	} else if (c == '.') {
		emit(ANY, 0, 0);
	} else {
		emit(CHAR, (uint8_t)c, 0);
	}
}

static void repeated(void)
{
	unsigned begin = length;

	atom();
	if (*at == '*' || *at == '?') {
		insert(begin);
		if (*at == '*')
			emit(JUMP, begin, 0);
		code[begin] = (struct instruction){ .op = SPLIT, .x = (uint8_t)(begin + 1), .y = (uint8_t)length };
		at++;
	} else if (*at == '+') {
		emit(SPLIT, begin, length + 1);
		at++;
	}
}

static void alternatives(void)
{
	unsigned begin = length, jump;

	while (*at && *at != '|' && *at != ')')
		repeated();
	if (*at != '|')
		return;
	at++;
	insert(begin);
	jump = emit(JUMP, 0, 0);
	code[begin] = (struct instruction){ .op = SPLIT, .x = (uint8_t)(begin + 1), .y = (uint8_t)length };
	alternatives();
	code[jump].x = (uint8_t)length;
}

static bool takes(const struct instruction *i, char c)
{
	if (i->op == CHAR)
		return (uint8_t)c == i->x;
	return c && (i->op == ANY || (i->set[(uint8_t)c / 64] >> (uint8_t)c % 64 & 1));
}

static unsigned fuel;

static bool backtrack(unsigned pc, const char *text)
{
	for (;; pc++) {
		const struct instruction *i = &code[pc];

		if (!fuel-- || i->op == MATCH)
			return true;
		if (i->op == SPLIT) {
			if (backtrack(i->x, text))
				return true;
			pc = i->y - 1u;
		} else if (i->op == JUMP) {
			pc = i->x - 1u;
		} else if (!takes(i, *text++)) {
			return false;
		}
	}
}

static uint64_t follow(uint64_t states, unsigned pc)
{
	if (states >> pc & 1)
		return states;
	states |= 1ull << pc;
	if (code[pc].op == JUMP || code[pc].op == SPLIT)
		states = follow(states, code[pc].x);
	if (code[pc].op == SPLIT)
		states = follow(states, code[pc].y);
	return states;
}

static bool simulate(const char *text)
{
	uint64_t states = follow(0, 0), next;

	for (;; text++, states = next) {
		next = 0;
		for (uint64_t left = states; left; left &= left - 1) {
			unsigned pc = (unsigned)__builtin_ctzll(left);

			if (code[pc].op == MATCH)
				return true;
			if (code[pc].op < SPLIT && takes(&code[pc], *text))
				next = follow(next, pc + 1);
		}
		if (!next)
			return false;
	}
}

void program(void)
{
	static const char *const patterns[] = {
		"abc", "a.c", "(a|b)*c", "[a-c]+d?e", "(ab|a)(bc|c)?d", "[^a-b]x*|bb", "(a*b)*c.d", "((a|bc)+d)+",
	};
	struct random random = { 23 };
	uint64_t matched = 0;
	unsigned n = 0;

	for (unsigned p = 0; p < LENGTH(patterns); p++) {
		length = 0;
		at = patterns[p];
		memset(code, 0, sizeof(code));
		alternatives();
		emit(MATCH, 0, 0);
		for (unsigned t = 0; t < TEXTS; t++) {
			char text[TEXT + 1] = "";
			bool found;

			for (unsigned i = 0; i < TEXT; i++)
				text[i] = "abcdex"[random_below(&random, 6)];
			fuel = 3000;
			found = simulate(text);
			check(found == backtrack(0, text), patterns[p]);
			matched = matched << 1 ^ matched >> 63 ^ found;
			n += found;
		}
	}
	print_number(n);
	print_hex(matched);
}
