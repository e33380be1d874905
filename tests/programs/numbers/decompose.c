/* SPDX-License-Identifier: GPL-2.0-only */
/* LU with pivots: a system is solved, the determinant is found, and the inverse is one; Cholesky of what is symmetric. */
#include "program.h"

enum { SIZE = 12 };

static double a[SIZE][SIZE], lu[SIZE][SIZE], inverse[SIZE][SIZE], square[SIZE][SIZE], lower[SIZE][SIZE];
static unsigned order[SIZE];

static double size_of(double x)
{
	return __builtin_fabs(x);
}

static double decompose(void)
{
	double determinant = 1;

	for (unsigned i = 0; i < SIZE; i++)
		order[i] = i;
	memcpy(lu, a, sizeof(a));
	for (unsigned k = 0; k < SIZE; k++) {
		unsigned pivot = k;

		for (unsigned i = k + 1; i < SIZE; i++)
			pivot = size_of(lu[i][k]) > size_of(lu[pivot][k]) ? i : pivot;
		if (pivot != k) {
			unsigned swapped = order[k];

			order[k] = order[pivot];
			order[pivot] = swapped;
			for (unsigned j = 0; j < SIZE; j++) {
				double x = lu[k][j];

				lu[k][j] = lu[pivot][j];
				lu[pivot][j] = x;
			}
			determinant = -determinant;
		}
		determinant *= lu[k][k];
		for (unsigned i = k + 1; i < SIZE; i++) {
			double by = lu[i][k] /= lu[k][k];

			for (unsigned j = k + 1; j < SIZE; j++)
				lu[i][j] -= by * lu[k][j];
		}
	}
	return determinant;
}

static void solve(const double *right, double *x)
{
	for (unsigned i = 0; i < SIZE; i++) {
		x[i] = right[order[i]];
		for (unsigned j = 0; j < i; j++)
			x[i] -= lu[i][j] * x[j];
	}
	for (unsigned i = SIZE; i--;) {
		for (unsigned j = i + 1; j < SIZE; j++)
			x[i] -= lu[i][j] * x[j];
		x[i] /= lu[i][i];
	}
}

static void cholesky(void)
{
	for (unsigned i = 0; i < SIZE; i++)
		for (unsigned j = 0; j < SIZE; j++)
			for (unsigned k = 0; k < SIZE; k++)
				square[i][j] += a[i][k] * a[j][k];
	for (unsigned i = 0; i < SIZE; i++)
		for (unsigned j = 0; j <= i; j++) {
			double sum = square[i][j];

			for (unsigned k = 0; k < j; k++)
				sum -= lower[i][k] * lower[j][k];
			lower[i][j] = i == j ? __builtin_sqrt(sum) : sum / lower[j][j];
		}
}

void program(void)
{
	struct random random = { 73 };
	double determinant, by_cholesky = 1;

	for (unsigned i = 0; i < SIZE; i++)
		for (unsigned j = 0; j < SIZE; j++)
			a[i][j] = random_unit(&random) * 2 - 1;
	determinant = decompose();
	for (unsigned i = 0; i < SIZE; i += 4) {
		double right[SIZE] = { 0 };

		right[i] = 1;
		solve(right, inverse[i]);
		for (unsigned j = 0; j < SIZE; j++) {
			double sum = 0;

			for (unsigned k = 0; k < SIZE; k++)
				sum += a[j][k] * inverse[i][k];
			check(size_of(sum - (i == j)) < 1e-10, "inverse");
		}
	}
	cholesky();
	for (unsigned i = 0; i < SIZE; i++)
		by_cholesky *= lower[i][i];
	check(size_of(by_cholesky / size_of(determinant) - 1) < 1e-8, "determinant");
	print_hex(digest(inverse, sizeof(inverse)));
	print_hex(digest(lower, sizeof(lower)));
}
