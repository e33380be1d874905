/* SPDX-License-Identifier: GPL-2.0-only */
/* Conway's game of life: cells as bytes by vectors of the compiler's, as bits of words, and one by one. */
#include "program.h"

enum { SIZE = 32, GENERATIONS = 3 };

typedef uint8_t row_vector __attribute__((vector_size(32)));

static row_vector vectors[SIZE + 2], next_vectors[SIZE];
static uint32_t bits[SIZE];
static uint8_t plain[SIZE][SIZE];

static void turn(row_vector *to, const row_vector *from, int by)
{
	for (int i = 0; i < SIZE; i++)
		(*to)[i] = (*from)[(i + by + SIZE) % SIZE];
}

static void by_vectors(void)
{
	vectors[0] = vectors[SIZE];
	vectors[SIZE + 1] = vectors[1];
	for (unsigned y = 1; y <= SIZE; y++) {
		row_vector column = vectors[y - 1] + vectors[y] + vectors[y + 1], left, right, sum;

		turn(&left, &column, -1);
		turn(&right, &column, 1);
		sum = left + column + right;

		/* Three of nine, or four with the one in the middle. */
		next_vectors[y - 1] = ((row_vector)(sum == 3) | ((row_vector)(sum == 4) & -vectors[y])) & 1;
	}
	memcpy(vectors + 1, next_vectors, sizeof(next_vectors));
}

static uint32_t rotate(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

/* Eight neighbours are added by full adders, 32 cells at once. */
static void by_bits(void)
{
	uint32_t next[SIZE];

	for (unsigned y = 0; y < SIZE; y++) {
		uint32_t ones = 0, twos = 0, fours = 0;

		for (unsigned k = 0; k < 9; k++) {
			uint32_t row = bits[(y + k / 3 + SIZE - 1) % SIZE], x, carry;

			if (k == 4)
				continue;
			x = k % 3 == 0 ? rotate(row, 1) : k % 3 == 2 ? rotate(row, 31) : row;
			carry = ones & x;
			ones ^= x;
			fours |= twos & carry;
			twos ^= carry;
		}
		next[y] = ~fours & twos & (ones | bits[y]);
	}
	memcpy(bits, next, sizeof(next));
}

static void one_by_one(void)
{
	static uint8_t next[SIZE][SIZE];

	for (unsigned y = 0; y < SIZE; y++)
		for (unsigned x = 0; x < SIZE; x++) {
			unsigned n = 0;

			for (unsigned k = 0; k < 9; k++)
				n += k != 4 && plain[(y + k / 3 + SIZE - 1) % SIZE][(x + k % 3 + SIZE - 1) % SIZE];
			next[y][x] = n == 3 || (n == 2 && plain[y][x]);
		}
	memcpy(plain, next, sizeof(next));
}

void program(void)
{
	struct random random = { 109 };
	unsigned living = 0;

	for (unsigned y = 0; y < SIZE; y++)
		for (int x = 0; x < SIZE; x++) {
			plain[y][x] = random_below(&random, 3) == 0;
			vectors[y + 1][x] = plain[y][x];
			bits[y] |= (uint32_t)plain[y][x] << x;
		}
	for (unsigned i = 0; i < GENERATIONS; i++) {
		by_vectors();
		by_bits();
	}
	one_by_one();
	for (unsigned y = 0; y < SIZE; y++)
		for (int x = 0; x < SIZE; x++) {
			check(vectors[y + 1][x] == (bits[y] >> x & 1), "vectors and bits");
			living += vectors[y + 1][x];
		}
	print_number(living);
	print_hex(digest(bits, sizeof(bits)) ^ digest(plain, sizeof(plain)));
}
