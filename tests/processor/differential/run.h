/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Case after case, for whoever can execute one: prepares memory, and says what came of it. Options: seed=, from=, cases=,
 * maps= (bits), opcode=, features= (bits, of the guest), list=NUMBER:SIMPLIFY,... in place of from and cases; verbose=1: everything;
 * plant=OPCODE: of the one-byte map, whose result is made wrong.
 */
#ifndef DIFFERENTIAL_RUN_H
#define DIFFERENTIAL_RUN_H

#include "cases/case.h"
#include "cases/judge.h"

struct run {
	struct filter filter;
	uint64_t next, end;
	const char *list; /* what is left of it, NULL: none */
	bool verbose, native;
	int plant;
	uint64_t offered; /* features of this processor */
	uint8_t *data, *code; /* to write, whatever the instruction may do to them */
	struct test_case c;   /* of now */
};

/* The option's text behind `key=`; NULL: not given. */
typedef const char *(*run_option)(const char *key);

void run_begin(struct run *run, run_option option);
/* Makes the next case and puts its code and memory in place. False: that was all. */
bool run_next(struct run *run);
void run_result(struct run *run, struct result *result);

#endif
