/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest.h"

GUEST_DESCRIPTION("integer matrix product on every vCPU; size=128 rounds=32");

enum { UNROLL = 8 };

static unsigned size, rounds;
static uint32_t *a, *b; /* size x size each; b is transposed, so that both are walked along rows */
static uint64_t checksums[GUEST_MAX_VCPUS];

/* The body of the loop is one block of more than 24 instructions. */
static uint32_t row_product(const uint32_t *x, const uint32_t *y)
{
	uint32_t sum = 0;

	for (unsigned k = 0; k < size; k += UNROLL)
		sum += x[k] * y[k] + x[k + 1] * y[k + 1] + x[k + 2] * y[k + 2] + x[k + 3] * y[k + 3] +
		       x[k + 4] * y[k + 4] + x[k + 5] * y[k + 5] + x[k + 6] * y[k + 6] + x[k + 7] * y[k + 7];
	return sum;
}

static void multiply(void *arg)
{
	uint64_t checksum = 0;

	(void)arg;
	for (unsigned round = 0; round < rounds; round++)
		for (unsigned i = 0; i < size; i++)
			for (unsigned j = 0; j < size; j++)
				checksum = checksum * 31 + row_product(a + i * size, b + j * size);
	checksums[cpu_index()] = checksum;
}

static void fill(uint32_t *matrix, uint32_t seed)
{
	for (unsigned i = 0; i < size * size; i++) {
		seed = seed * 1664525 + 1013904223;
		matrix[i] = seed >> 16;
	}
}

int guest_main(void)
{
	option_only("size", "rounds", NULL);
	size = (unsigned)option_number("size", 128);
	rounds = (unsigned)option_number("rounds", 32);
	if (!size || size % UNROLL || size > 4096) {
		console_printf("matmul: size must be a multiple of %d, up to 4096\n", UNROLL);
		return STATUS_USAGE;
	}
	a = memory_need(sizeof(*a) * size * size, 64);
	b = memory_need(sizeof(*b) * size * size, 64);
	fill(a, 1);
	fill(b, 2);
	smp_run_all(multiply, NULL);
	for (unsigned i = 0; i < cpu_count(); i++)
		if (checksums[i] != checksums[0]) {
			console_printf("matmul: vCPU %u: checksum %lx, not %lx\n", i, checksums[i], checksums[0]);
			return 1;
		}
	console_printf("matmul: %u vCPU%s, %u x %u, %u rounds, checksum %lx\n", cpu_count(), plural(cpu_count()),
		       size, size, rounds, checksums[0]);
	return 0;
}
