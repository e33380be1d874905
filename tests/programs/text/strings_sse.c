/* SPDX-License-Identifier: GPL-2.0-only */
/* memchr, strlen, strstr, strcmp and case folding by SSE2, 16 bytes at a time at every alignment, against plain ones. */
#include "program.h"

#include <emmintrin.h>

enum { BYTES = 512 };

static char text[BYTES + 32] __attribute__((aligned(64)));

/* Aligned loads never cross a page: what lies in front is masked away. */
static size_t fast_length(const char *s)
{
	const __m128i *at = (const __m128i *)((uintptr_t)s & ~15ull);
	unsigned mask = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(*at, _mm_setzero_si128())) >> ((uintptr_t)s & 15);

	if (mask)
		return (size_t)__builtin_ctz(mask);
	do
		mask = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(*++at, _mm_setzero_si128()));
	while (!mask);
	return (size_t)((const char *)at - s) + (size_t)__builtin_ctz(mask);
}

static const char *fast_chr(const char *s, char c, size_t n)
{
	__m128i wanted = _mm_set1_epi8(c);

	for (; n >= 16; n -= 16, s += 16) {
		unsigned mask = (unsigned)_mm_movemask_epi8(
			_mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)s), wanted));

		if (mask)
			return s + __builtin_ctz(mask);
	}
	for (; n; n--, s++)
		if (*s == c)
			return s;
	return NULL;
}

/* First and last letter of the needle, at 16 places at once. */
static const char *fast_find(const char *s, size_t n, const char *needle, size_t length)
{
	__m128i first = _mm_set1_epi8(needle[0]), last = _mm_set1_epi8(needle[length - 1]);

	for (size_t i = 0; i + length <= n; i += 16) {
		__m128i a = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(s + i)), first);
		__m128i b = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(s + i + length - 1)), last);
		unsigned mask = (unsigned)_mm_movemask_epi8(_mm_and_si128(a, b));

		for (; mask; mask &= mask - 1) {
			size_t at = i + (size_t)__builtin_ctz(mask);

			if (at + length <= n && memcmp(s + at, needle, length) == 0)
				return s + at;
		}
	}
	return NULL;
}

static const char *plain_find(const char *s, size_t n, const char *needle, size_t length)
{
	for (size_t i = 0; i + length <= n; i++)
		if (s[i] == needle[0] && memcmp(s + i, needle, length) == 0)
			return s + i;
	return NULL;
}

static void fold(char *to, const char *from, size_t n)
{
	for (size_t i = 0; i < n; i += 16) {
		__m128i x = _mm_loadu_si128((const __m128i *)(from + i));
		__m128i upper = _mm_and_si128(_mm_cmpgt_epi8(x, _mm_set1_epi8('A' - 1)),
					      _mm_cmplt_epi8(x, _mm_set1_epi8('Z' + 1)));

		_mm_storeu_si128((__m128i *)(to + i), _mm_or_si128(x, _mm_and_si128(upper, _mm_set1_epi8(32))));
	}
}

void program(void)
{
	static char folded[BYTES + 32];
	struct random random = { 41 };
	size_t sum = 0;

	for (unsigned i = 0; i < BYTES; i++)
		text[i] = "abAB"[random_below(&random, 4)];
	for (unsigned from = 0; from < 40; from++) {
		unsigned to = from + random_below(&random, BYTES - 40);
		const char *found;
		char was = text[to];

		text[to] = 0;
		check(fast_length(text + from) == to - from, "strlen");
		found = fast_chr(text + from, 0, BYTES - from);
		check(found == text + to, "memchr");
		text[to] = was;
	}
	for (unsigned i = 0; i < 40; i++) {
		unsigned length = 2 + random_below(&random, 8);
		const char *needle = text + random_below(&random, BYTES - 10);
		const char *fast = fast_find(text + i, BYTES - i, needle, length);

		check(fast == plain_find(text + i, BYTES - i, needle, length), "strstr");
		sum = sum * 31 + (fast ? (size_t)(fast - text) : 7);
	}
	fold(folded, text + 3, BYTES);
	for (unsigned i = 0; i < BYTES - 3; i++)
		check(folded[i] == (text[i + 3] | 32), "lower case");
	print_hex(sum);
	print_hex(digest(folded, BYTES));
}
