/* SPDX-License-Identifier: GPL-2.0-only */
/* Long double: exp, log and powers by series, remainders by fprem, sines, whole numbers and decimals, all of the x87. */
#include "program.h"

typedef long double real;

static uint64_t sum;

static void note(real x)
{
	uint8_t bytes[16] = { 0 };

	__builtin_memcpy(bytes, &x, 10);
	sum = sum * 31 + digest(bytes, 10);
}

static real power_of_e(real x)
{
	real term = 1, all = 1;

	x /= 64;
	for (int n = 1; n < 18; n++) {
		term *= x / n;
		all += term;
	}
	for (int i = 0; i < 6; i++)
		all *= all;
	return all;
}

/* Newton on exp. */
static real logarithm(real x)
{
	real y = 0;

	for (int i = 0; i < 6; i++)
		y += 2 * (x - power_of_e(y)) / (x + power_of_e(y));
	return y;
}

static real remainder_of(real x, real y)
{
	uint16_t status;

	do
		__asm__ volatile("fprem\n\tfnstsw %1" : "+t"(x), "=a"(status) : "u"(y));
	while (status & 0x400);
	return x;
}

static real sine(real x)
{
	real term = x, all = x;

	for (int n = 3; n < 27; n += 2) {
		term *= -x * x / (n * (n - 1));
		all += term;
	}
	return all;
}

static real by_instruction(real x)
{
	real y, z;

	__asm__("fsqrt" : "=t"(y) : "0"(x));
	__asm__("frndint" : "=t"(z) : "0"(x));
	return y + z;
}

/* To a decimal of 18 digits, by fbstp. */
static void decimal(real x)
{
	uint8_t digits[10];

	__asm__ volatile("fbstp %0" : "=m"(digits) : "t"(x) : "st");
	sum = sum * 31 + digest(digits, sizeof(digits));
}

static void set_control(uint16_t control)
{
	__asm__ volatile("fldcw %0" : : "m"(control));
}

static void all_of(real x)
{
	real size;

	note(power_of_e(x));
	note(sine(x));
	note(by_instruction(x));
	note(remainder_of(1e300L * x, 7.3L));
	note((real)(int64_t)(x * 1e15L));
	note((real)(int32_t)(x * 1e3L));
	note((double)x);
	note((float)x);
	decimal(x * 1e16L);
	size = logarithm(power_of_e(x)) - x;
	check(__builtin_fabsl(size) < 1e-16L, "log and exp");
}

void program(void)
{
	struct random random = { 89 };

	check(__builtin_fabsl(power_of_e(1) - 2.718281828459045235360287L) < 1e-17L, "e");
	check(remainder_of(17, 5) == 2 && remainder_of(-17, 5) == -2, "remainders");
	for (unsigned i = 0; i < 3; i++)
		all_of((real)random_unit(&random) * 3 + 0.1L);
	print_hex(sum);
	for (uint16_t rounding = 0; rounding < 4; rounding++) {
		set_control((uint16_t)(0x37f | rounding << 10));
		note(by_instruction(3.7L));
		note(1 / (real)(3 + rounding));
		decimal(123456.5L + rounding);
	}
	set_control(0x27f); /* double precision */
	note(1 / (real)(7 + (int)random_below(&random, 2)));
	set_control(0x37f);
	print_hex(sum);
}
