/* SPDX-License-Identifier: GPL-2.0-only */
/* Dynamic programming: longest common subsequence, edit distance with its way back, Levenshtein by bits, knapsack. */
#include "program.h"

enum { LENGTH_A = 60, LENGTH_B = 55, ITEMS = 24, ROOM = 200 };

static char a[LENGTH_A], b[LENGTH_B];
static uint16_t common[LENGTH_A + 1][LENGTH_B + 1], edits[LENGTH_A + 1][LENGTH_B + 1];

static void fill_tables(void)
{
	for (unsigned i = 0; i <= LENGTH_A; i++)
		for (unsigned j = 0; j <= LENGTH_B; j++) {
			uint16_t best;

			if (!i || !j) {
				edits[i][j] = (uint16_t)(i + j);
				continue;
			}
			common[i][j] = common[i - 1][j] > common[i][j - 1] ? common[i - 1][j] : common[i][j - 1];
			if (a[i - 1] == b[j - 1])
				common[i][j] = common[i - 1][j - 1] + 1;
			best = edits[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			if (edits[i - 1][j] + 1 < best)
				best = edits[i - 1][j] + 1;
			if (edits[i][j - 1] + 1 < best)
				best = edits[i][j - 1] + 1;
			edits[i][j] = best;
		}
}

/* The common subsequence itself. */
static unsigned trace(char *out)
{
	unsigned i = LENGTH_A, j = LENGTH_B, n = common[i][j], left = n;

	while (left) {
		if (a[i - 1] == b[j - 1] && common[i][j] == common[i - 1][j - 1] + 1) {
			out[--left] = a[i - 1];
			i--;
			j--;
		} else if (common[i - 1][j] >= common[i][j - 1]) {
			i--;
		} else {
			j--;
		}
	}
	return n;
}

static bool is_subsequence(const char *of, unsigned n, const char *what, unsigned length)
{
	unsigned at = 0;

	for (unsigned i = 0; i < n && at < length; i++)
		at += of[i] == what[at];
	return at == length;
}

/* Myers, "A fast bit-vector algorithm", 1999: a column of the table is two words. */
static unsigned by_bits(void)
{
	uint64_t letters[256] = { 0 }, up = ~0ull, down = 0;
	unsigned score = LENGTH_A;

	for (unsigned i = 0; i < LENGTH_A; i++)
		letters[(uint8_t)a[i]] |= 1ull << i;
	for (unsigned j = 0; j < LENGTH_B; j++) {
		uint64_t equal = letters[(uint8_t)b[j]], x = equal | down, d, horizontal, less;

		d = (((x & up) + up) ^ up) | x;
		horizontal = down | ~(d | up);
		less = d & up;
		score += horizontal >> (LENGTH_A - 1) & 1;
		score -= less >> (LENGTH_A - 1) & 1;
		horizontal = horizontal << 1 | 1;
		less <<= 1;
		up = less | ~(d | horizontal);
		down = horizontal & d;
	}
	return score;
}

static unsigned knapsack(struct random *random)
{
	static unsigned best[ROOM + 1];

	for (unsigned item = 0; item < ITEMS; item++) {
		unsigned weight = 5 + random_below(random, 40), value = 1 + random_below(random, 99);

		for (unsigned room = ROOM; room >= weight; room--)
			if (best[room - weight] + value > best[room])
				best[room] = best[room - weight] + value;
	}
	return best[ROOM];
}

void program(void)
{
	struct random random = { 19 };
	char out[LENGTH_B];
	unsigned n;

	for (unsigned i = 0; i < LENGTH_A; i++)
		a[i] = "ACGT"[random_below(&random, 4)];
	for (unsigned i = 0; i < LENGTH_B; i++)
		b[i] = random_below(&random, 5) ? a[i] : "ACGT"[random_below(&random, 4)];
	fill_tables();
	n = trace(out);
	check(is_subsequence(a, LENGTH_A, out, n) && is_subsequence(b, LENGTH_B, out, n), "common to both");
	check(by_bits() == edits[LENGTH_A][LENGTH_B], "by bits");
	print_number(n);
	print_number(edits[LENGTH_A][LENGTH_B]);
	print_number(knapsack(&random));
	print_hex(digest(out, n));
}
