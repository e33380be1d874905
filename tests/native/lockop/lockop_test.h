/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of the test of lockop.c, and how they report: PASS or FAIL lines and a summary. */
#ifndef LOCKOP_TEST_H
#define LOCKOP_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lockop;

/* Is it one, by the decoder, of any processor's instructions? */
bool decode_lockop(const uint8_t *bytes, size_t size, uint64_t address, struct lockop *ret);
void report(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Every form, addressing and prefix against the processor: `states` random ones for each pair. */
void test_forms(unsigned states);
/* What must be no lockop is none, and the other way round, by the processor's own verdict. */
void test_decode(unsigned rounds);
/* Threads on one word: nothing may get lost. */
void test_atomicity(unsigned iterations);

#endif
