/* SPDX-License-Identifier: GPL-2.0-only */
/* What came of a case, as text: two letters, or three lines of NAME=VALUE. */
#ifndef DIFFERENTIAL_REPORT_H
#define DIFFERENTIAL_REPORT_H

#include "cases/case.h"

enum { CHANGES_SHOWN = 12 };

/* Words of memory that are not as they were. */
struct changes {
	uint64_t hash;
	unsigned number;
	struct {
		uint32_t word;
		uint64_t value;
	} shown[CHANGES_SHOWN];
};

/* Two letters of it, which differ if the results do: as good as always. */
void report_hash(uint64_t hash);
/* In place of them: nobody knows. */
void report_no_hash(void);
void report_all(const struct test_case *c, uint64_t features, const struct result *result, const struct changes *changes);

/* Of native.c and guest.c */
void out_write(const char *text, size_t bytes);

#endif
