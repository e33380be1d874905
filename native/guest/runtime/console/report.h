/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The line protocol of guest tests, after kvm-unit-tests: `PASS: text`, `FAIL: text`,
 * `SKIP: text`, prefixes before the text, and a last line
 * `SUMMARY: n tests, n failures[, n skipped]`.
 */
#ifndef GUEST_REPORT_H
#define GUEST_REPORT_H

#include <stdbool.h>

void report(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));
void report_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* One prefix per level, on vCPU 0. */
void report_prefix_push(const char *prefix);
void report_prefix_pop(void);
/* Prints the summary; the exit status of the VM: 1 if anything failed or nothing was tested. */
int report_summary(void);

#endif
