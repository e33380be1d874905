/* SPDX-License-Identifier: GPL-2.0-only */
/* k-means in two dimensions, of points around four places. */
#include "program.h"

enum { POINTS = 120, CLUSTERS = 4, ROUNDS = 8 };

static float x[POINTS], y[POINTS], center_x[CLUSTERS], center_y[CLUSTERS], distance[CLUSTERS][POINTS];
static uint8_t cluster[POINTS];

static unsigned assign(void)
{
	unsigned changed = 0;

	for (unsigned c = 0; c < CLUSTERS; c++)
		for (unsigned i = 0; i < POINTS; i++)
			distance[c][i] = (x[i] - center_x[c]) * (x[i] - center_x[c]) + (y[i] - center_y[c]) * (y[i] - center_y[c]);
	for (unsigned i = 0; i < POINTS; i++) {
		unsigned best = 0;

		for (unsigned c = 1; c < CLUSTERS; c++)
			best = distance[c][i] < distance[best][i] ? c : best;
		changed += cluster[i] != best;
		cluster[i] = (uint8_t)best;
	}
	return changed;
}

static void move(void)
{
	float sums[CLUSTERS][3] = { 0 };

	for (unsigned i = 0; i < POINTS; i++) {
		sums[cluster[i]][0] += x[i];
		sums[cluster[i]][1] += y[i];
		sums[cluster[i]][2] += 1;
	}
	for (unsigned c = 0; c < CLUSTERS; c++)
		if (sums[c][2] > 0) {
			center_x[c] = sums[c][0] / sums[c][2];
			center_y[c] = sums[c][1] / sums[c][2];
		}
}

void program(void)
{
	struct random random = { 79 };
	unsigned rounds = 0;
	float within = 0;

	for (unsigned i = 0; i < POINTS; i++) {
		x[i] = (float)(i % 2) * 10 + (float)(random_unit(&random) + random_unit(&random));
		y[i] = (float)(i / 2 % 2) * 10 + (float)(random_unit(&random) + random_unit(&random));
	}
	for (unsigned c = 0; c < CLUSTERS; c++) {
		center_x[c] = x[c];
		center_y[c] = y[c];
	}
	while (assign() && rounds++ < ROUNDS)
		move();
	for (unsigned i = 0; i < POINTS; i++)
		within += distance[cluster[i]][i];
	check(within < POINTS * 2, "near");
	for (unsigned i = 4; i < POINTS; i++)
		check(cluster[i] == cluster[i % 4], "four places");
	print_number(rounds);
	print_hex(digest(center_x, sizeof(center_x)) ^ digest(distance, sizeof(distance)));
}
