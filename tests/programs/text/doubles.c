/* SPDX-License-Identifier: GPL-2.0-only */
/* printf and strtod of doubles, exact by big numbers: 17 digits are read back as the same bits, and the shortest are found. */
#include "program.h"

enum { LIMBS = 40, DOUBLES = 5 };

/* Little-endian, in 32 bits each. */
struct big {
	uint32_t limb[LIMBS];
	unsigned n;
};

static void multiply(struct big *x, uint32_t by, uint32_t plus)
{
	uint64_t carry = plus;

	for (unsigned i = 0; i < x->n; i++) {
		carry += (uint64_t)x->limb[i] * by;
		x->limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	if (carry)
		x->limb[x->n++] = (uint32_t)carry;
}

static void shift(struct big *x, unsigned bits)
{
	for (; bits >= 16; bits -= 16)
		multiply(x, 1u << 16, 0);
	multiply(x, 1u << bits, 0);
}

static int compare(const struct big *a, const struct big *b)
{
	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	for (unsigned i = a->n; i--;)
		if (a->limb[i] != b->limb[i])
			return a->limb[i] < b->limb[i] ? -1 : 1;
	return 0;
}

static void subtract(struct big *a, const struct big *b)
{
	int64_t borrow = 0;

	for (unsigned i = 0; i < a->n; i++) {
		borrow += (int64_t)a->limb[i] - (i < b->n ? b->limb[i] : 0);
		a->limb[i] = (uint32_t)borrow;
		borrow >>= 32;
	}
	while (a->n && !a->limb[a->n - 1])
		a->n--;
}

static struct big from_word(uint64_t word)
{
	struct big x = { .limb = { (uint32_t)word, (uint32_t)(word >> 32) } };

	x.n = word >> 32 ? 2 : word ? 1 : 0;
	return x;
}

static void power_of_ten(struct big *x, int exponent)
{
	for (; exponent >= 9; exponent -= 9)
		multiply(x, 1000000000, 0);
	for (; exponent > 0; exponent--)
		multiply(x, 10, 0);
}

/* a / b to so many digits, 0.d1d2d3 * 10^exponent, rounded to nearest, to even. */
static int to_digits(struct big *a, struct big *b, char *digits, unsigned n, int guess)
{
	bool up;

	power_of_ten(guess > 0 ? b : a, guess > 0 ? guess : -guess);
	for (; compare(a, b) >= 0; guess++)
		multiply(b, 10, 0);
	for (struct big tenfold = *a;; guess--) {
		multiply(&tenfold, 10, 0);
		if (compare(&tenfold, b) >= 0)
			break;
		*a = tenfold;
	}
	for (unsigned i = 0; i < n; i++) {
		multiply(a, 10, 0);
		for (digits[i] = '0'; compare(a, b) >= 0; digits[i]++)
			subtract(a, b);
	}
	multiply(a, 2, 0);
	up = compare(a, b) > 0 || (compare(a, b) == 0 && digits[n - 1] & 1);
	for (unsigned i = n; up && i--;) {
		up = digits[i] == '9';
		digits[i] = (char)(up ? '0' : digits[i] + 1);
	}
	if (up) {
		digits[0] = '1';
		guess++;
	}
	return guess;
}

static int print_double(double value, char *digits, unsigned n)
{
	uint64_t bits;
	int exponent;
	struct big a, b = from_word(1);

	__builtin_memcpy(&bits, &value, 8);
	exponent = (int)(bits >> 52 & 2047);
	a = from_word((bits & ((1ull << 52) - 1)) | (exponent ? 1ull << 52 : 0));
	exponent = (exponent ? exponent : 1) - 1075;
	shift(exponent > 0 ? &a : &b, (unsigned)(exponent > 0 ? exponent : -exponent));
	return to_digits(&a, &b, digits, n, (int)((exponent + 52) * 0.30103));
}

/* Bits of a / b are found one after the other: the value lies in [2^52, 2^53) then. */
static double read_double(const char *digits, unsigned n, int exponent)
{
	struct big a = { .n = 0 }, b = from_word(1), twice;
	int binary = 0;
	uint64_t mantissa = 0;
	double value;

	for (unsigned i = 0; i < n; i++)
		multiply(&a, 10, (uint32_t)(digits[i] - '0'));
	exponent -= (int)n;
	power_of_ten(exponent > 0 ? &a : &b, exponent > 0 ? exponent : -exponent);
	for (; compare(&a, &b) >= 0; binary++)
		multiply(&b, 2, 0);
	for (twice = a;; binary--) {
		multiply(&twice, 2, 0);
		if (compare(&twice, &b) >= 0)
			break;
		a = twice;
	}
	for (unsigned i = 0; i < 53; i++) {
		multiply(&a, 2, 0);
		mantissa <<= 1;
		if (compare(&a, &b) >= 0) {
			subtract(&a, &b);
			mantissa |= 1;
		}
	}
	multiply(&a, 2, 0);
	mantissa += compare(&a, &b) > 0 || (compare(&a, &b) == 0 && mantissa & 1);
	value = (double)mantissa;
	for (binary -= 53; binary > 0; binary--)
		value *= 2;
	for (; binary < 0; binary++)
		value /= 2;
	return value;
}

void program(void)
{
	static const double known[] = { 0.1, 5e-1, 123456789012345680.0 };
	static const unsigned lengths[] = { 1, 1, 17 };
	struct random random = { 43 };
	unsigned total = 0;
	char digits[18] = "";

	for (unsigned i = 0; i < DOUBLES + LENGTH(known); i++) {
		uint64_t bits = (random_next(&random) & ~(2047ull << 52)) | (uint64_t)(980 + random_below(&random, 80)) << 52;
		unsigned n = i < LENGTH(known) ? lengths[i] - 1 : 14;
		double value, back;
		int exponent;

		bits &= ~0ull >> 1;
		__builtin_memcpy(&value, &bits, 8);
		value = i < LENGTH(known) ? known[i] : value;
		do {
			exponent = print_double(value, digits, ++n);
			back = read_double(digits, n, exponent);
		} while (back != value && n < 17);
		check(back == value, "read back");
		check(i >= LENGTH(known) || n <= lengths[i], "the shortest");
		total = total * 31 + (unsigned)digest(digits, n) + (unsigned)exponent;
	}
	print(digits);
	print_hex(total);
}
