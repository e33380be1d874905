/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Test programs. Each test prints "PASS: name" or "FAIL: name", after a line for every check that failed; the program
 * ends with "SUMMARY: tests, failures". Its arguments are names of tests, or --list; none are all that are not slow.
 */
#ifndef CHECKS_H
#define CHECKS_H

#include <stdbool.h>
#include <stddef.h>

struct named_test {
	const char *name;
	void (*run)(void);
	bool slow; /* only when asked for by name */
};

/* Suites end with a test without a name. Returns the program's exit status. */
int run_tests(const struct named_test *const *suites, size_t count, int argc, char **argv);

/* On any thread. */
void check_failed(const char *file, int line, const char *what, long long a, long long b);
#define CHECK(condition) \
	do { \
		if (!(condition)) \
			check_failed(__FILE__, __LINE__, #condition, 0, 1); \
	} while (0)
#define CHECK_EQ(a, b) \
	do { \
		long long a_ = (long long)(a), b_ = (long long)(b); \
		if (a_ != b_) \
			check_failed(__FILE__, __LINE__, #a " == " #b, a_, b_); \
	} while (0)

#endif
