/* SPDX-License-Identifier: GPL-2.0-only */
/* agent_test [--list | NAME...]: all tests, or those named. */
#include "agent_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "ring_wraps", test_ring_wraps },
	{ "ring_full", test_ring_full },
	{ "ring_hostile", test_ring_hostile },
	{ "ring_race", test_ring_race },
	{ "walk_sizes", test_walk_sizes },
	{ "walk_limits", test_walk_limits },
	{ "walk_hostile", test_walk_hostile },
	{ "chain_frames", test_chain_frames },
	{ "chain_ends", test_chain_ends },
	{ "chain_hostile", test_chain_hostile },
	{ "nmi_sample", test_nmi_sample },
	{ "nmi_without_ring", test_nmi_without_ring },
	{ "nmi_periods_add_up", test_nmi_periods_add_up },
};
static long failed_checks;

void check_failed(const char *file, int line, const char *what, unsigned long long a, unsigned long long b)
{
	if (failed_checks++ < 50)
		fprintf(stderr, "%s:%d: %s: %llu, %llu\n", file, line, what, a, b);
}

uint64_t random_next(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static bool wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	bool list = argc == 2 && !strcmp(argv[1], "--list");
	int ran = 0, failures = 0;

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		long before = failed_checks;

		if (list)
			printf("%s\n", tests[i].name);
		if (list || !wanted(tests[i].name, argc, argv))
			continue;
		tests[i].run();
		printf("%s: %s\n", failed_checks == before ? "PASS" : "FAIL", tests[i].name);
		ran++;
		failures += failed_checks != before;
	}
	if (!list)
		printf("SUMMARY: %d tests, %d failures\n", ran, failures);
	return !list && (failures || !ran);
}
