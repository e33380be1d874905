/* SPDX-License-Identifier: GPL-2.0-only */
/* RSA of 128 bits, a power of 256: Montgomery's product, and powers by it; primes are looked for by Fermat's test. */
#include "program.h"

enum { LIMBS = 4, WIDE = 2 * LIMBS };

typedef unsigned __int128 wide;

static bool less(const uint64_t *a, const uint64_t *b, unsigned n)
{
	while (n--)
		if (a[n] != b[n])
			return a[n] < b[n];
	return false;
}

static uint64_t subtract(uint64_t *a, const uint64_t *b, unsigned n)
{
	uint64_t borrow = 0;

	for (unsigned i = 0; i < n; i++) {
		wide d = (wide)a[i] - b[i] - borrow;

		a[i] = (uint64_t)d;
		borrow = (uint64_t)(d >> 64) & 1;
	}
	return borrow;
}

/* Of an odd number, modulo 2^64: each step doubles how many bits are right. */
static uint64_t inverse_word(uint64_t n)
{
	uint64_t x = n;

	for (unsigned i = 0; i < 6; i++)
		x *= 2 - n * x;
	return x;
}

/* r = a * b / 2^(64 n) mod m */
static void montgomery(uint64_t *r, const uint64_t *a, const uint64_t *b, const uint64_t *m, uint64_t inverse, unsigned n)
{
	uint64_t t[WIDE + 2] = { 0 };

	for (unsigned i = 0; i < n; i++) {
		wide carry = 0;
		uint64_t q;

		for (unsigned j = 0; j < n; j++) {
			carry += (wide)a[j] * b[i] + t[j];
			t[j] = (uint64_t)carry;
			carry >>= 64;
		}
		carry += t[n];
		t[n] = (uint64_t)carry;
		t[n + 1] = (uint64_t)(carry >> 64);
		q = t[0] * (0 - inverse);
		carry = ((wide)q * m[0] + t[0]) >> 64;
		for (unsigned j = 1; j < n; j++) {
			carry += (wide)q * m[j] + t[j];
			t[j - 1] = (uint64_t)carry;
			carry >>= 64;
		}
		carry += t[n];
		t[n - 1] = (uint64_t)carry;
		t[n] = t[n + 1] + (uint64_t)(carry >> 64);
	}
	if (t[n] || !less(t, m, n))
		subtract(t, m, n);
	__builtin_memcpy(r, t, n * sizeof(*r));
}

/* r = base^exponent mod m, for an odd m. */
static void power(uint64_t *r, const uint64_t *base, const uint64_t *exponent, unsigned bits, const uint64_t *m,
		  unsigned n)
{
	uint64_t square[WIDE] = { 0 }, x[WIDE], one[WIDE] = { 1 }, inverse = inverse_word(m[0]);

	square[0] = 1; /* becomes 2^(128 n) mod m */
	for (unsigned i = 0; i < 128 * n; i++) {
		uint64_t carry = square[n - 1] >> 63;

		for (unsigned j = n - 1; j; j--)
			square[j] = square[j] << 1 | square[j - 1] >> 63;
		square[0] <<= 1;
		if (carry || !less(square, m, n))
			subtract(square, m, n);
	}
	montgomery(x, base, square, m, inverse, n);
	montgomery(r, one, square, m, inverse, n);
	while (bits--) {
		montgomery(r, r, r, m, inverse, n);
		if (exponent[bits / 64] >> bits % 64 & 1)
			montgomery(r, r, x, m, inverse, n);
	}
	montgomery(r, r, one, m, inverse, n);
}

static bool is_prime(uint64_t candidate)
{
	uint64_t two = 2, exponent = candidate - 1, r;

	for (uint64_t d = 3; d < 400; d += 2)
		if (candidate % d == 0)
			return false;
	power(&r, &two, &exponent, 64, &candidate, 1);
	return r == 1;
}

static uint64_t find_prime(struct random *random)
{
	uint64_t candidate = random_next(random) | 1ull << 63 | 1;

	while (!is_prime(candidate))
		candidate += 2;
	return candidate;
}

void program(void)
{
	struct random random = { 48 };
	uint64_t p = find_prime(&random), q = find_prime(&random), modulus[2], message[2], sent[2], back[2];
	uint64_t public[2] = { 65537 }, private[2], big[LIMBS], base[LIMBS], result[LIMBS], exponent[LIMBS];
	wide n = (wide)p * q, totient = n - p - q + 1, d;
	uint64_t k, rest;

	check(p != q, "two primes");
	k = rest = (uint64_t)(totient % 65537);
	for (unsigned i = 1; i < 16; i++) /* the inverse is the power of 65535 */
		k = k * k % 65537 * rest % 65537;
	k = 65537 - k;
	d = totient / 65537 * k + (rest * k + 1) / 65537; /* 65537 d = 1 + k * totient */
	__builtin_memcpy(modulus, &n, sizeof(n));
	__builtin_memcpy(private, &d, sizeof(d));
	message[0] = random_next(&random);
	message[1] = random_next(&random) >> 3;
	power(sent, message, public, 17, modulus, 2);
	power(back, sent, private, 128, modulus, 2);
	check(message[0] == back[0] && message[1] == back[1], "there and back");
	for (unsigned i = 0; i < LIMBS; i++) {
		big[i] = random_next(&random);
		base[i] = random_next(&random) >> 1;
		exponent[i] = random_next(&random);
	}
	big[0] |= 1;
	big[LIMBS - 1] |= 1ull << 63;
	power(result, base, exponent, 24, big, LIMBS);
	print_hex(sent[0]);
	print_hex(digest(result, sizeof(result)));
}
