/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest.h"

GUEST_DESCRIPTION("pointers chased through a random cycle, then a strided walk; bytes=1M steps=16000000 stride=64");

enum { LINE = 64, HOPS = 8 };

struct node {
	struct node *next;
	uint64_t value;
	uint8_t pad[LINE - 16];
};
_Static_assert(sizeof(struct node) == LINE, "a node is a cache line");

static struct node *nodes;
static uint64_t bytes, steps, stride, sums[GUEST_MAX_VCPUS];

/* Sattolo's shuffle: one cycle through all nodes, the same every time. */
static void link_nodes(uint64_t n)
{
	uint64_t seed = 88172645463325252, *order = memory_need(n * sizeof(*order), 8);

	for (uint64_t i = 0; i < n; i++)
		order[i] = i;
	for (uint64_t i = n - 1; i > 0; i--) {
		uint64_t j, swap = order[i];

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		j = seed % i;
		order[i] = order[j];
		order[j] = swap;
	}
	for (uint64_t i = 0; i < n; i++) {
		nodes[order[i]].next = &nodes[order[(i + 1) % n]];
		nodes[order[i]].value = order[i];
	}
}

static void walk(void *arg)
{
	const struct node *node = nodes;
	const volatile uint8_t *memory = (const volatile uint8_t *)nodes;
	uint64_t sum = 0, at = 0;

	(void)arg;
	for (uint64_t i = 0; i < steps / HOPS; i++) {
		node = node->next->next->next->next;
		node = node->next->next->next->next;
		sum += node->value;
	}
	for (uint64_t i = 0; i < steps; i++) {
		sum += memory[at];
		at += stride;
		if (at >= bytes)
			at -= bytes;
	}
	sums[cpu_index()] = sum;
}

int guest_main(void)
{
	option_only("bytes", "steps", "stride", NULL);
	bytes = option_number("bytes", 1 << 20) / LINE * LINE;
	steps = option_number("steps", 16000000);
	stride = option_number("stride", LINE);
	if (bytes < 2 * LINE || stride > bytes) {
		console_printf("memwalk: bytes must be at least %d, stride no more than bytes\n", 2 * LINE);
		return STATUS_USAGE;
	}
	nodes = memory_need(bytes, LINE);
	link_nodes(bytes / LINE);
	smp_run_all(walk, NULL);
	for (unsigned i = 0; i < cpu_count(); i++)
		if (sums[i] != sums[0]) {
			console_printf("memwalk: vCPU %u: sum %lx, not %lx\n", i, sums[i], sums[0]);
			return 1;
		}
	console_printf("memwalk: %u vCPU%s, %lu bytes, %lu steps each, sum %lx\n", cpu_count(), plural(cpu_count()),
		       bytes, steps, sums[0]);
	return 0;
}
