/* SPDX-License-Identifier: GPL-2.0-only */
/* The native stress for the sanitizers: random programs, each for some rounds, or for some long ones. Arguments:
 * DESIGN NMI SEED ROUNDS. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explore/fibers/schedule.h"
#include "stress/stress.h"

enum { VCPUS = 4, IDS = 3, OPS = 8, ROUNDS_OF_A_PROGRAM = 100, PASSES = 20 };

static uint64_t state;

static uint32_t below(uint32_t n)
{
	state = mix64(state);
	return (uint32_t)((state >> 32) * n >> 32);
}

static struct explore_op random_op(void)
{
	static const uint8_t kinds[] = { EXPLORE_OPEN, EXPLORE_OPEN, EXPLORE_CLOSE, EXPLORE_ENABLE, EXPLORE_ENABLE,
					 EXPLORE_DISABLE, EXPLORE_READ, EXPLORE_RUN, EXPLORE_RUN, EXPLORE_HANDLE,
					 EXPLORE_KICK };
	static const uint16_t periods[] = { 0, 10, 30, EXPLORE_OF_CLOCK | 1000 };
	struct explore_op op = { .kind = kinds[below(sizeof(kinds))], .id = (uint8_t)below(IDS) };

	if (op.kind == EXPLORE_OPEN)
		op.value = periods[below(sizeof(periods) / sizeof(periods[0]))];
	if (op.kind == EXPLORE_RUN)
		op.value = (uint16_t)(1 + below(60));
	return op;
}

static void random_program(struct explore_program *program)
{
	memset(program, 0, sizeof(*program));
	for (unsigned i = 0; i < VCPUS; i++) {
		program->length[i] = 2 + below(OPS - 1);
		for (unsigned k = 0; k < program->length[i]; k++)
			program->op[i][k] = random_op();
	}
	program->length[VCPUS] = 2;
	program->op[VCPUS][0].kind = EXPLORE_CLOCK;
	program->op[VCPUS][1] = (struct explore_op){ .kind = EXPLORE_TICK, .id = (uint8_t)below(VCPUS) };
}

int main(int argc, char **argv)
{
	struct explore_machine machine = { .vcpus = VCPUS, .max_events = 2, .counters = 2, .hash_buckets = 2,
					   .fault_permille = { 100, 50, 0, 5 }, .sync = "entry" };
	struct stress_amount amount = { .patience_ns = 60000000000ull, .noise_permille = 20 };
	struct stress_totals totals = { 0 };
	struct explore_verdict verdict = { 0 };
	static struct explore_program program;
	uint64_t rounds;
	bool history = false;
	char why[128];

	if (argc != 5) {
		fprintf(stderr, "usage: %s DESIGN NMI SEED ROUNDS\n", argv[0]);
		return 2;
	}
	machine.design = argv[1];
	machine.nmi = argv[2];
	amount.seed = state = strtoull(argv[3], NULL, 0);
	rounds = strtoull(argv[4], NULL, 0);
	if (stress_create(&machine, why, sizeof(why))) {
		fprintf(stderr, "no machine: %s\n", why);
		return 2;
	}
	for (; !verdict.oracle && totals.rounds < rounds; amount.first += amount.count) {
		random_program(&program);
		if (stress_program_set(&program))
			return 2;
		amount.passes = history ? PASSES : 0;
		amount.count = ROUNDS_OF_A_PROGRAM / (history ? PASSES : 1);
		history = !history;
		stress_run(&amount, &totals, &verdict);
	}
	stress_destroy();
	if (verdict.oracle) {
		printf("FAIL: oracle O%u: %s\n", verdict.oracle, verdict.text);
		return 1;
	}
	printf("PASS: %llu rounds, %llu operations, %llu NMIs, %llu misses\n", (unsigned long long)totals.rounds,
	       (unsigned long long)totals.operations, (unsigned long long)totals.nmis,
	       (unsigned long long)totals.nmi_misses);
	return !totals.nmi_misses && strcmp(machine.nmi, "lockless");
}
