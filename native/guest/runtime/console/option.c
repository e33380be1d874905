/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest.h"

enum { OPTION_BYTES = 4096 };

static char text[OPTION_BYTES];
static const char *words[OPTION_MAX_WORDS + 1];
static unsigned count;

/* A copy of the command line, cut into words. */
void option_start(void)
{
	const char *line = (const char *)boot_info()->command_line;
	bool in_word = false;

	for (size_t i = 0; line && line[i] && i < OPTION_BYTES - 1; i++) {
		bool blank = line[i] == ' ' || line[i] == '\t' || line[i] == '\n';

		text[i] = blank ? 0 : line[i];
		if (!blank && !in_word && count < OPTION_MAX_WORDS)
			words[count++] = &text[i];
		in_word = !blank;
	}
}

unsigned option_count(void)
{
	return count;
}

const char *option_word(unsigned i)
{
	return i < count ? words[i] : NULL;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The value in a word `key=value` of this key, in which # is any decimal number, else NULL. */
static const char *value_of(const char *word, const char *key)
{
	for (; *key; key++) {
		if (*key != '#' ? *word != *key : !is_digit(*word))
			return NULL;
		word++;
		while (*key == '#' && is_digit(*word))
			word++;
	}
	return *word == '=' ? word + 1 : NULL;
}

const char *option_text(const char *key, const char *otherwise)
{
	for (unsigned i = count; i-- > 0;)
		if (value_of(words[i], key))
			return value_of(words[i], key);
	return otherwise;
}

static int digit_of(char c, int base)
{
	int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;

	return digit < base ? digit : -1;
}

/* False unless all of `s` is a number of 64 bits. */
static bool parse_number(const char *s, uint64_t *ret)
{
	int base = s[0] == '0' && s[1] == 'x' ? 16 : 10, shift = 0;
	uint64_t value = 0;

	if (base == 16)
		s += 2;
	if (digit_of(*s, base) < 0)
		return false;
	for (; digit_of(*s, base) >= 0; s++)
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit_of(*s, base), &value))
			return false;
	if (*s == 'k' || *s == 'K' || *s == 'M' || *s == 'G')
		shift = *s == 'M' ? 20 : *s == 'G' ? 30 : 10;
	if (shift)
		s++;
	*ret = value << shift;
	return !*s && *ret >> shift == value;
}

uint64_t option_number(const char *key, uint64_t otherwise)
{
	const char *value = option_text(key, NULL);
	uint64_t number = otherwise;

	if (value && !parse_number(value, &number)) {
		console_printf("guest: %s=%s is not a number\n", key, value);
		guest_exit(STATUS_USAGE);
	}
	return number;
}

void option_only(const char *key, ...)
{
	for (unsigned i = 0; i < count; i++) {
		bool known = false;
		va_list keys;

		va_start(keys, key);
		for (const char *k = key; k && !known; k = va_arg(keys, const char *))
			known = value_of(words[i], k) != NULL;
		va_end(keys);
		if (!known) {
			console_printf("guest: no such option: %s\n", words[i]);
			guest_exit(STATUS_USAGE);
		}
	}
}
