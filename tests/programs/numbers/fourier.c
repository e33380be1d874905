/* SPDX-License-Identifier: GPL-2.0-only */
/* A fast Fourier transform of 128 complex numbers, there and back, with roots of unity by half angles; and a slow one. */
#include "program.h"

enum { SIZE = 128 };

struct complex {
	double re, im;
};

static struct complex root[SIZE], data[SIZE], begin[SIZE];

/* cos(2 pi / n) from cos(4 pi / n). */
static void find_roots(void)
{
	struct complex step = { -1, 0 };

	for (unsigned n = 2; n < SIZE; n *= 2) {
		double c = __builtin_sqrt((1 + step.re) / 2), s = __builtin_sqrt((1 - step.re) / 2);

		step = (struct complex){ c, s };
	}
	root[0] = (struct complex){ 1, 0 };
	for (unsigned i = 1; i < SIZE; i++)
		root[i] = (struct complex){ root[i - 1].re * step.re - root[i - 1].im * step.im,
					    root[i - 1].re * step.im + root[i - 1].im * step.re };
}

static void transform(struct complex *x, bool back)
{
	for (unsigned i = 1, j = 0; i < SIZE; i++) {
		for (unsigned bit = SIZE / 2; (j ^= bit) < bit; bit /= 2)
			;
		if (i < j) {
			struct complex swapped = x[i];

			x[i] = x[j];
			x[j] = swapped;
		}
	}
	for (unsigned half = 1; half < SIZE; half *= 2)
		for (unsigned i = 0; i < SIZE; i += 2 * half)
			for (unsigned j = 0; j < half; j++) {
				struct complex w = root[j * (SIZE / 2 / half)], *a = &x[i + j], *b = a + half, t;

				w.im = back ? -w.im : w.im;
				t.re = b->re * w.re - b->im * w.im;
				t.im = b->re * w.im + b->im * w.re;
				b->re = a->re - t.re;
				b->im = a->im - t.im;
				a->re += t.re;
				a->im += t.im;
			}
}

static double size_of(double x)
{
	return x < 0 ? -x : x;
}

void program(void)
{
	struct random random = { 61 };

	find_roots();
	check(size_of(root[SIZE / 4].re) < 1e-13 && size_of(root[SIZE / 4].im - 1) < 1e-13, "a quarter turn");
	for (unsigned i = 0; i < SIZE; i++)
		begin[i] = data[i] = (struct complex){ random_unit(&random), random_unit(&random) };
	transform(data, false);
	for (unsigned k = 1; k < SIZE; k += 60) {
		struct complex sum = { 0, 0 };

		for (unsigned i = 0; i < SIZE; i++) {
			struct complex w = root[i * k % SIZE];

			sum.re += begin[i].re * w.re - begin[i].im * w.im;
			sum.im += begin[i].re * w.im + begin[i].im * w.re;
		}
		check(size_of(sum.re - data[k].re) < 1e-10 && size_of(sum.im - data[k].im) < 1e-10, "the slow one");
	}
	print_hex(digest(data, sizeof(data)));
	transform(data, true);
	for (unsigned i = 0; i < SIZE; i++)
		check(size_of(data[i].re / SIZE - begin[i].re) < 1e-13, "and back");
	print_hex(digest(data, sizeof(data)));
}
