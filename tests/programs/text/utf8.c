/* SPDX-License-Identifier: GPL-2.0-only */
/* UTF-8: validated by an automaton and by rules, encoded and decoded; what is not shortest, a surrogate or too large is no. */
#include "program.h"

enum { BYTES = 1500 };

static uint8_t bytes[BYTES + 4];

static unsigned encode(uint32_t point, uint8_t *to)
{
	if (point < 0x80) {
		to[0] = (uint8_t)point;
		return 1;
	}
	if (point < 0x800) {
		to[0] = (uint8_t)(0xc0 | point >> 6);
		to[1] = (uint8_t)(0x80 | (point & 63));
		return 2;
	}
	if (point < 0x10000) {
		to[0] = (uint8_t)(0xe0 | point >> 12);
		to[1] = (uint8_t)(0x80 | (point >> 6 & 63));
		to[2] = (uint8_t)(0x80 | (point & 63));
		return 3;
	}
	to[0] = (uint8_t)(0xf0 | point >> 18);
	to[1] = (uint8_t)(0x80 | (point >> 12 & 63));
	to[2] = (uint8_t)(0x80 | (point >> 6 & 63));
	to[3] = (uint8_t)(0x80 | (point & 63));
	return 4;
}

/* The next code point, or -1. */
static int32_t decode(const uint8_t **at, const uint8_t *end)
{
	static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint8_t first = *(*at)++;
	unsigned n = (unsigned)__builtin_clz(~((uint32_t)first << 24) | 1);
	uint32_t point;

	if (n == 0)
		return first;
	if (n == 1 || n > 4 || end - *at < (int)n - 1)
		return -1;
	point = first & (0x7fu >> n);
	for (unsigned i = 1; i < n; i++) {
		if ((**at & 0xc0) != 0x80)
			return -1;
		point = point << 6 | (*(*at)++ & 63);
	}
	if (point < least[n] || point > 0x10ffff || point >> 11 == 0x1b)
		return -1;
	return (int32_t)point;
}

/* Of a byte, what it may stand for; of a state, what may come next: Unicode's table 3-7. */
static bool automaton(const uint8_t *at, const uint8_t *end)
{
	enum { START, ONE, TWO, THREE, E0, ED, F0, F4, BAD } state = START;

	for (; at < end && state != BAD; at++) {
		uint8_t c = *at;

		switch (state) {
		case START:
			state = c < 0x80 ? START : c < 0xc2 ? BAD : c < 0xe0 ? ONE : c == 0xe0 ? E0 : c == 0xed ? ED
				: c < 0xf0 ? TWO : c == 0xf0 ? F0 : c < 0xf4 ? THREE : c == 0xf4 ? F4 : BAD;
			break;
		case ONE:
			state = (c & 0xc0) == 0x80 ? START : BAD;
			break;
		case TWO:
			state = (c & 0xc0) == 0x80 ? ONE : BAD;
			break;
		case THREE:
			state = (c & 0xc0) == 0x80 ? TWO : BAD;
			break;
		case E0:
			state = c >= 0xa0 && c < 0xc0 ? ONE : BAD;
			break;
		case ED:
			state = c >= 0x80 && c < 0xa0 ? ONE : BAD;
			break;
		case F0:
			state = c >= 0x90 && c < 0xc0 ? TWO : BAD;
			break;
		case F4:
			state = c >= 0x80 && c < 0x90 ? TWO : BAD;
			break;
		case BAD:
			break;
		}
	}
	return state == START;
}

void program(void)
{
	struct random random = { 31 };
	unsigned length = 0, points = 0, valid = 0;
	const uint8_t *at = bytes;
	uint64_t sum = 0;

	while (length < BYTES) {
		uint32_t point = (uint32_t)random_next(&random) >> (8 + random_below(&random, 20)) & 0x1fffff;

		if (point > 0x10ffff || point >> 11 == 0x1b)
			continue;
		length += encode(point, bytes + length);
		sum = sum * 31 + point;
		points++;
	}
	check(automaton(bytes, bytes + length), "what was encoded");
	for (unsigned i = 0; i < points; i++)
		sum -= (uint64_t)decode(&at, bytes + length) * (i == points - 1);
	check(at == bytes + length, "as many as were encoded");
	for (unsigned i = 0; i < 300; i++) {
		uint8_t *where = bytes + random_below(&random, length - 8), was = *where;
		const uint8_t *begin = where - (where - bytes > 4 ? 4 : where - bytes), *p;
		bool right = true;

		while ((*begin & 0xc0) == 0x80)
			begin++;
		*where = (uint8_t)random_next(&random);
		for (p = begin; right && p < where + 4;)
			right = decode(&p, where + 8) >= 0;
		check(!right || automaton(begin, p), "both or none");
		valid += right;
		*where = was;
	}
	print_number(points);
	print_number(valid);
	print_hex(sum);
}
