/* SPDX-License-Identifier: GPL-2.0-only */
#include "checks.h"

#include <stdio.h>
#include <string.h>

enum { TOLD = 50 };

static long failed_checks;

void check_failed(const char *file, int line, const char *what, long long a, long long b)
{
	if (__atomic_add_fetch(&failed_checks, 1, __ATOMIC_SEQ_CST) <= TOLD)
		fprintf(stderr, "%s:%d: %s: %lld, %lld\n", file, line, what, a, b);
}

static bool wanted(const struct named_test *test, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], test->name))
			return true;
	return argc == 1 && !test->slow;
}

static bool run(const struct named_test *test)
{
	long before = failed_checks;

	test->run();
	printf("%s: %s\n", failed_checks == before ? "PASS" : "FAIL", test->name);
	fflush(stdout);
	return failed_checks == before;
}

int run_tests(const struct named_test *const *suites, size_t count, int argc, char **argv)
{
	bool list = argc == 2 && !strcmp(argv[1], "--list");
	int tests = 0, failures = 0;

	for (size_t i = 0; i < count; i++) {
		for (const struct named_test *test = suites[i]; test->name; test++) {
			if (list)
				printf("%s%s\n", test->name, test->slow ? " slow" : "");
			else if (wanted(test, argc, argv)) {
				tests++;
				failures += !run(test);
			}
		}
	}
	if (!list)
		printf("SUMMARY: %d tests, %d failures\n", tests, failures);
	return failures || (!list && !tests);
}
