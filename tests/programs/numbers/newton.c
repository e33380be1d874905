/* SPDX-License-Identifier: GPL-2.0-only */
/* Roots by Newton in every rounding mode, with denormals, infinities and NaNs; and flushed to zero, if MXCSR says so. */
#include "program.h"

enum { MXCSR_DAZ = 1 << 6, MXCSR_FTZ = 1 << 15, MXCSR_DEFAULT = 0x1f80 };

static void set_mxcsr(uint32_t value)
{
	__asm__ volatile("ldmxcsr %0" : : "m"(value) : "memory");
}

static uint32_t get_mxcsr(void)
{
	uint32_t value;

	__asm__ volatile("stmxcsr %0" : "=m"(value) : : "memory");
	return value;
}

/* Not to be moved across a change of MXCSR. */
#define HERE(x) __asm__ volatile("" : "+x"(x) : : "memory")

static double root(double of)
{
	double x = of > 1 ? of / 2 : of == 0 ? 0 : 1;

	for (unsigned i = 0; i < 12 && x != 0; i++)
		x = (x + of / x) / 2;
	return x;
}

static uint64_t sum;

static void note(double x)
{
	sum = sum * 31 + digest(&x, sizeof(x));
}

static void with_rounding(unsigned mode, struct random *random)
{
	set_mxcsr(MXCSR_DEFAULT | mode << 13);
	for (unsigned i = 0; i < 8; i++) {
		double of = random_unit(random) * 100, exact, third = 1;
		float single = (float)of;

		HERE(of);
		exact = __builtin_sqrt(of);
		note(exact);
		note(root(of));
		check(__builtin_fabs(exact - root(of)) < 1e-12, "near");
		HERE(third);
		third /= 3;
		HERE(third);
		note(third);
		single = __builtin_sqrtf(single) / 7;
		note((double)single);
		note((double)(int32_t)(of - 50));
		note((double)(uint64_t)(of * 1e17));
		note((double)(int64_t)random_next(random));
	}
}

static void with_small(uint32_t flags)
{
	double x = 0x1p-1000, tiny = 0x1p-1060;
	float y = 0x1p-120f, z = 3;

	set_mxcsr(MXCSR_DEFAULT | flags);
	for (unsigned i = 0; i < 20; i++) {
		HERE(x);
		HERE(tiny);
		HERE(y);
		HERE(z);
		x = x / 7;
		note(x + tiny);
		note(tiny * (1 + i));
		y = y / z;
		note((double)y);
		note((double)y * 0x1p100);
	}
	check((x == 0) == (flags != 0), "flushed");
}

static void with_none(void)
{
	volatile double zero = 0, huge = 1e308, minus = -1;
	double infinity = 1 / zero, none = infinity - infinity;

	note(infinity);
	note(huge * 10);
	check(none != none, "no number");
	check(!(none < 1) && !(none > 1) && !(none == 1), "unordered");
	check(__builtin_isnan(__builtin_sqrt(minus)), "the root of what is negative");
	note(none > 1 ? none : 1);
	note(infinity > huge ? infinity : huge);
}

void program(void)
{
	struct random random = { 83 };
	uint32_t flags = 0;

	for (unsigned mode = 0; mode < 4; mode++) {
		with_rounding(mode, &random);
		flags = flags << 6 | (get_mxcsr() & 63);
	}
	with_small(0);
	flags = flags << 6 | (get_mxcsr() & 63);
	with_small(MXCSR_FTZ | MXCSR_DAZ);
	set_mxcsr(MXCSR_DEFAULT);
	with_none();
	print_hex(flags);
	print_hex(get_mxcsr());
	print_hex(sum);
}
