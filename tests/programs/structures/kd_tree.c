/* SPDX-License-Identifier: GPL-2.0-only */
/* Nearest neighbours in three dimensions, in doubles: a k-d tree finds what looking at all of them finds. */
#include "program.h"

enum { POINTS = 128, QUERIES = 24, DIMENSIONS = 3 };

static double points[POINTS][DIMENSIONS];
static uint16_t order[POINTS];

/* The median along the axis is put in the middle, by quickselect. */
static void build(unsigned low, unsigned high, unsigned axis)
{
	unsigned middle = (low + high) / 2, from = low, to = high;

	if (high - low < 2)
		return;
	while (to - from > 1) {
		double pivot = points[order[(from + to) / 2]][axis];
		unsigned i = from, j = to - 1;

		for (;;) {
			uint16_t swapped;

			while (points[order[i]][axis] < pivot)
				i++;
			while (points[order[j]][axis] > pivot)
				j--;
			if (i >= j)
				break;
			swapped = order[i];
			order[i++] = order[j];
			order[j--] = swapped;
		}
		if (middle < i)
			to = i;
		else
			from = i;
		if (i == from && to - from < 3 && points[order[from]][axis] <= points[order[to - 1]][axis])
			break;
	}
	build(low, middle, (axis + 1) % DIMENSIONS);
	build(middle + 1, high, (axis + 1) % DIMENSIONS);
}

static double squared(const double *a, const double *b)
{
	double sum = 0;

	for (unsigned i = 0; i < DIMENSIONS; i++)
		sum += (a[i] - b[i]) * (a[i] - b[i]);
	return sum;
}

static unsigned looked;

static void nearest(const double *query, unsigned low, unsigned high, unsigned axis, double *best, unsigned *which)
{
	unsigned middle = (low + high) / 2, next = (axis + 1) % DIMENSIONS;
	double here, plane;

	if (low >= high)
		return;
	looked++;
	here = squared(query, points[order[middle]]);
	if (here < *best) {
		*best = here;
		*which = order[middle];
	}
	plane = query[axis] - points[order[middle]][axis];
	if (plane < 0)
		nearest(query, low, middle, next, best, which);
	else
		nearest(query, middle + 1, high, next, best, which);
	if (plane * plane > *best)
		return;
	if (plane < 0)
		nearest(query, middle + 1, high, next, best, which);
	else
		nearest(query, low, middle, next, best, which);
}

void program(void)
{
	struct random random = { 17 };
	double sum = 0;

	for (unsigned i = 0; i < POINTS; i++) {
		order[i] = (uint16_t)i;
		for (unsigned j = 0; j < DIMENSIONS; j++)
			points[i][j] = random_unit(&random) * random_unit(&random);
	}
	build(0, POINTS, 0);
	for (unsigned i = 0; i < QUERIES; i++) {
		double query[DIMENSIONS], best = 1e300, least = 1e300;
		unsigned which = 0;

		for (unsigned j = 0; j < DIMENSIONS; j++)
			query[j] = random_unit(&random);
		nearest(query, 0, POINTS, 0, &best, &which);
		for (unsigned j = 0; j < POINTS; j++)
			least = squared(query, points[j]) < least ? squared(query, points[j]) : least;
		check(best == least, "the nearest");
		sum += __builtin_sqrt(best) * which;
	}
	check(looked < POINTS * QUERIES * 3 / 4, "a short cut");
	print_number(looked);
	print_hex(digest(&sum, sizeof(sum)));
}
