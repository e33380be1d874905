/* SPDX-License-Identifier: GPL-2.0-only */
/* strspn, strcspn, strstr and CRC-32C by SSE4.2's instructions where they are, against plain ones. */
#include "program.h"

enum { BYTES = 400 };

static char text[BYTES + 32] __attribute__((aligned(16)));

static unsigned plain_span(const char *s, const char *set, bool of)
{
	unsigned n = 0;

	for (; s[n]; n++) {
		const char *c = set;

		while (*c && *c != s[n])
			c++;
		if ((*c != 0) != of)
			break;
	}
	return n;
}

static const char *plain_find(const char *s, const char *needle)
{
	for (; *s; s++) {
		unsigned n = 0;

		while (needle[n] && s[n] == needle[n])
			n++;
		if (!needle[n])
			return s;
	}
	return NULL;
}

static uint32_t plain_crc(const char *s, size_t n)
{
	uint32_t crc = ~0u;

	while (n--) {
		crc ^= (uint8_t)*s++;
		for (unsigned i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

#ifdef __SSE4_2__
#include <nmmintrin.h>

static unsigned span(const char *s, const char *set, bool of)
{
	char padded[16] = "";
	__m128i wanted;

	for (unsigned i = 0; set[i]; i++)
		padded[i] = set[i];
	wanted = _mm_loadu_si128((const __m128i *)padded);
	for (unsigned n = 0;; n += 16) {
		__m128i part = _mm_loadu_si128((const __m128i *)(s + n));
		int at, ends = _mm_cmpistrz(wanted, part, _SIDD_CMP_EQUAL_ANY);

		if (of)
			at = _mm_cmpistri(wanted, part, _SIDD_CMP_EQUAL_ANY | _SIDD_MASKED_NEGATIVE_POLARITY);
		else
			at = _mm_cmpistri(wanted, part, _SIDD_CMP_EQUAL_ANY);
		if (at < 16)
			return n + (unsigned)at;
		if (ends)
			return n + (unsigned)strlen(s + n);
	}
}

static const char *find(const char *s, const char *needle)
{
	char padded[16] = "";
	size_t length = strlen(needle);
	__m128i wanted;

	memcpy(padded, needle, length);
	wanted = _mm_loadu_si128((const __m128i *)padded);
	for (;;) {
		__m128i part = _mm_loadu_si128((const __m128i *)s);
		int at = _mm_cmpistri(wanted, part, _SIDD_CMP_EQUAL_ORDERED);

		if (at < 16 && memcmp(s + at, needle, length) == 0)
			return s + at;
		if (at == 16 && _mm_cmpistrz(wanted, part, _SIDD_CMP_EQUAL_ORDERED))
			return NULL;
		s += at < 16 ? at + (at == 0 || memcmp(s + at, needle, length) != 0) : 16;
	}
}

static uint32_t crc(const char *s, size_t n)
{
	uint64_t value = ~0u;

	for (; n >= 8; n -= 8, s += 8) {
		uint64_t word;

		__builtin_memcpy(&word, s, 8);
		value = _mm_crc32_u64(value, word);
	}
	for (; n; n--)
		value = _mm_crc32_u8((uint32_t)value, (uint8_t)*s++);
	return ~(uint32_t)value;
}

/* Signed words of a range, and lengths that are given: what is found, as a mask. */
static uint64_t explicitly(struct random *random)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < 40; i++) {
		__m128i a = _mm_set_epi64x((int64_t)random_next(random) & 0x03ff03ff03ff03ff, 0x0200010000ff0001);
		__m128i b = _mm_set_epi64x((int64_t)random_next(random) & 0x03ff03ff03ff03ff,
					   (int64_t)random_next(random) & 0x03ff03ff03ff03ff);
		int n = (int)random_below(random, 10), m = (int)random_below(random, 10);
		__m128i mask = _mm_cmpestrm(a, n, b, m, _SIDD_UWORD_OPS | _SIDD_CMP_RANGES | _SIDD_UNIT_MASK);

		sum = sum * 31 + (uint64_t)_mm_extract_epi64(mask, 0) + (uint64_t)_mm_extract_epi64(mask, 1) * 3;
		sum += (uint64_t)_mm_cmpestri(a, n, b, m, _SIDD_SBYTE_OPS | _SIDD_CMP_EQUAL_EACH | _SIDD_MOST_SIGNIFICANT);
		sum += (uint64_t)_mm_cmpestrc(b, m, a, n, _SIDD_UBYTE_OPS | _SIDD_CMP_EQUAL_ORDERED) << 20;
	}
	return sum;
}
#else
#define span plain_span
#define find plain_find
#define crc plain_crc

static uint64_t explicitly(struct random *random)
{
	return random_next(random);
}
#endif

void program(void)
{
	struct random random = { 131 };
	unsigned sum = 0;

	for (unsigned i = 0; i < BYTES; i++)
		text[i] = "abcdefgh"[random_below(&random, 8) * random_below(&random, 8) / 7];
	check(crc("123456789", 9) == 0xe3069283, "CRC-32C");
	check(crc(text + 3, 101) == plain_crc(text + 3, 101), "CRC of more");
	for (unsigned i = 0; i < 60; i++) {
		static const char *const sets[] = { "abc", "h", "abcdefg", "gfedcb", "xyz" };
		static const char *const needles[] = { "hg", "abca", "aaaa", "dea", "bb", "gfa", "aabaa" };
		const char *s = text + i * 3, *set = sets[i % LENGTH(sets)], *needle = needles[i % LENGTH(needles)];

		check(span(s, set, true) == plain_span(s, set, true), "strspn");
		check(span(s, set, false) == plain_span(s, set, false), "strcspn");
		check(find(s, needle) == plain_find(s, needle), "strstr");
		sum = sum * 31 + span(s, set, true) + (find(s, needle) ? (unsigned)(find(s, needle) - text) : 7);
	}
	print_hex(sum);
	print_hex(explicitly(&random));
}
