/* SPDX-License-Identifier: GPL-2.0-only */
/* Loops that compilers vectorise, in float and double, at every alignment and length: axpy, dot, asum, iamax, conv, scale. */
#include "program.h"

enum { MOST = 70 };

#define LOOPS(type, name)                                                                       \
	static type x_##name[MOST + 8], y_##name[MOST + 8], z_##name[MOST + 8];                 \
	static void axpy_##name(type alpha, const type *restrict x, type *restrict y, unsigned n) \
	{                                                                                       \
		for (unsigned i = 0; i < n; i++)                                                \
			y[i] += alpha * x[i];                                                   \
	}                                                                                       \
	static type dot_##name(const type *x, const type *y, unsigned n)                        \
	{                                                                                       \
		type sum[4] = { 0 };                                                            \
		for (unsigned i = 0; i + 4 <= n; i += 4)                                        \
			for (unsigned j = 0; j < 4; j++)                                        \
				sum[j] += x[i + j] * y[i + j];                                  \
		for (unsigned i = n & ~3u; i < n; i++)                                          \
			sum[0] += x[i] * y[i];                                                  \
		return sum[0] + sum[1] + sum[2] + sum[3];                                       \
	}                                                                                       \
	static type asum_##name(const type *x, unsigned n)                                      \
	{                                                                                       \
		type sum = 0;                                                                   \
		for (unsigned i = 0; i < n; i++)                                                \
			sum += x[i] < 0 ? -x[i] : x[i];                                         \
		return sum;                                                                     \
	}                                                                                       \
	static unsigned iamax_##name(const type *x, unsigned n)                                 \
	{                                                                                       \
		unsigned most = 0;                                                              \
		for (unsigned i = 1; i < n; i++)                                                \
			if ((x[i] < 0 ? -x[i] : x[i]) > (x[most] < 0 ? -x[most] : x[most]))     \
				most = i;                                                       \
		return most;                                                                    \
	}                                                                                       \
	static void conv_##name(const type *restrict x, type *restrict y, unsigned n)           \
	{                                                                                       \
		for (unsigned i = 0; i < n; i++)                                                \
			y[i] = x[i] / 4 + x[i + 1] / 2 + x[i + 2] / (type)3 + x[i + 3];         \
	}                                                                                       \
	static void limit_##name(const type *restrict x, type *restrict y, unsigned n)          \
	{                                                                                       \
		for (unsigned i = 0; i < n; i++)                                                \
			y[i] = x[i] > 1 ? 1 : x[i] < -1 ? -1 : x[i];                            \
	}                                                                                       \
	static uint64_t all_##name(struct random *random)                                       \
	{                                                                                       \
		uint64_t sum = 0;                                                               \
		for (unsigned i = 0; i < MOST + 8; i++) {                                       \
			x_##name[i] = (type)(random_unit(random) * 4 - 2);                      \
			y_##name[i] = (type)(random_unit(random) * 4 - 2);                      \
		}                                                                               \
		for (unsigned n = 0; n < MOST; n = n * 3 / 2 + 1) {                             \
			unsigned from = n % 4;                                                  \
			type results[2];                                                        \
			axpy_##name((type)0.7, x_##name + from, y_##name + 1, n);               \
			results[0] = dot_##name(x_##name + from, y_##name, n);                  \
			results[1] = asum_##name(y_##name + from, n);                           \
			conv_##name(x_##name + from, z_##name, n);                              \
			limit_##name(y_##name, z_##name + n / 2, n / 2);                        \
			sum = sum * 31 + digest(results, sizeof(results));                      \
			sum += iamax_##name(x_##name + from, n) + digest(z_##name, n * sizeof(type)); \
		}                                                                               \
		return sum ^ digest(y_##name, sizeof(y_##name));                                \
	}

LOOPS(float, f)
LOOPS(double, d)

/* Sums of small whole numbers in every kind: int8 to int64, and back from float. */
static int64_t sums(struct random *random)
{
	static int8_t a[MOST];
	static int16_t b[MOST];
	static int32_t c[MOST], e[MOST];
	static float d[MOST];
	int64_t sum = 0;

	for (unsigned i = 0; i < MOST; i++) {
		a[i] = (int8_t)random_next(random);
		b[i] = (int16_t)random_next(random);
	}
	for (unsigned i = 0; i < MOST; i++)
		c[i] = a[i] * b[i];
	for (unsigned i = 0; i < MOST; i++)
		d[i] = (float)c[i];
	for (unsigned i = 0; i < MOST; i++)
		e[i] = (int32_t)(d[i] / 3);
	for (unsigned i = 0; i < MOST; i++) {
		check(e[i] == c[i] / 3, "by three");
		sum += e[i] > 0 ? e[i] : -(int64_t)a[i];
	}
	return sum;
}

void program(void)
{
	struct random random = { 59 };

	print_hex(all_f(&random));
	print_hex(all_d(&random));
	print_hex((uint64_t)sums(&random));
}
