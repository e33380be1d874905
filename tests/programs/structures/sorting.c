/* SPDX-License-Identifier: GPL-2.0-only */
/* Quick, heap, merge, radix and shell sort of the same numbers; the one that is stable keeps what is equal in order. */
#include "program.h"

enum { NUMBER = 400 };

static uint32_t begin[NUMBER], sorted[NUMBER];

static void swap(uint32_t *a, uint32_t *b)
{
	uint32_t x = *a;

	*a = *b;
	*b = x;
}

static void quick(uint32_t *a, int low, int high)
{
	while (high - low > 8) {
		uint32_t pivot = a[low + (high - low) / 2];
		int i = low, j = high;

		while (i <= j) {
			while (a[i] < pivot)
				i++;
			while (a[j] > pivot)
				j--;
			if (i <= j)
				swap(&a[i++], &a[j--]);
		}
		if (j - low < high - i) {
			quick(a, low, j);
			low = i;
		} else {
			quick(a, i, high);
			high = j;
		}
	}
	for (int i = low + 1; i <= high; i++)
		for (int j = i; j > low && a[j - 1] > a[j]; j--)
			swap(&a[j - 1], &a[j]);
}

static void sift(uint32_t *a, unsigned root, unsigned n)
{
	for (unsigned child; (child = 2 * root + 1) < n; root = child) {
		if (child + 1 < n && a[child + 1] > a[child])
			child++;
		if (a[root] >= a[child])
			return;
		swap(&a[root], &a[child]);
	}
}

static void heap(uint32_t *a, unsigned n)
{
	for (unsigned i = n / 2; i--;)
		sift(a, i, n);
	while (--n) {
		swap(&a[0], &a[n]);
		sift(a, 0, n);
	}
}

static void merge(uint32_t *a, uint32_t *spare, unsigned n)
{
	unsigned half = n / 2, i = 0, j = half;

	if (n < 2)
		return;
	merge(a, spare, half);
	merge(a + half, spare, n - half);
	for (unsigned k = 0; k < n; k++)
		spare[k] = i < half && (j == n || a[i] >> 8 <= a[j] >> 8) ? a[i++] : a[j++];
	memcpy(a, spare, n * sizeof(*a));
}

static void radix(uint32_t *a, uint32_t *spare, unsigned n)
{
	for (unsigned shift = 0; shift < 32; shift += 8) {
		unsigned counts[257] = { 0 };

		for (unsigned i = 0; i < n; i++)
			counts[(a[i] >> shift & 255) + 1]++;
		for (unsigned i = 1; i < 257; i++)
			counts[i] += counts[i - 1];
		for (unsigned i = 0; i < n; i++)
			spare[counts[a[i] >> shift & 255]++] = a[i];
		memcpy(a, spare, n * sizeof(*a));
	}
}

static void shell(uint32_t *a, unsigned n)
{
	for (unsigned gap = 301; gap; gap = gap / 9 * 4)
		for (unsigned i = gap; i < n; i++) {
			uint32_t x = a[i];
			unsigned j = i;

			for (; j >= gap && a[j - gap] > x; j -= gap)
				a[j] = a[j - gap];
			a[j] = x;
		}
	for (unsigned i = 1; i < n; i++)
		for (unsigned j = i; j && a[j - 1] > a[j]; j--)
			swap(&a[j - 1], &a[j]);
}

void program(void)
{
	static uint32_t spare[NUMBER], a[NUMBER];
	struct random random = { 7 };

	for (unsigned i = 0; i < NUMBER; i++)
		begin[i] = random_below(&random, 50) << 24 | i << 8 | (uint32_t)random_next(&random) % 4;
	memcpy(sorted, begin, sizeof(a));
	quick(sorted, 0, NUMBER - 1);
	for (unsigned i = 1; i < NUMBER; i++)
		check(sorted[i - 1] <= sorted[i], "order");
	for (unsigned kind = 0; kind < 4; kind++) {
		memcpy(a, begin, sizeof(a));
		if (kind == 0)
			heap(a, NUMBER);
		else if (kind == 1)
			merge(a, spare, NUMBER);
		else if (kind == 2)
			radix(a, spare, NUMBER);
		else
			shell(a, NUMBER);
		check(memcmp(a, sorted, sizeof(a)) == 0, "the same order");
	}
	print_hex(digest(sorted, sizeof(sorted)));
}
