/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest's command line: words apart by blanks; options have the form key=value. */
#ifndef GUEST_OPTION_H
#define GUEST_OPTION_H

#include <stdint.h>

enum { OPTION_MAX_WORDS = 64 };

unsigned option_count(void);
/* Word i, NULL behind the last. */
const char *option_word(unsigned i);
/* The value of the last `key=value`, else `otherwise`. */
const char *option_text(const char *key, const char *otherwise);
/* The same as a number: decimal or 0x, with k, M or G (1024s) behind. Bad ones end the VM with STATUS_USAGE. */
uint64_t option_number(const char *key, uint64_t otherwise);
/* Ends the VM with STATUS_USAGE, and a line that says why, if a word is none of these keys (NULL last). In a
 * key, # is any decimal number. */
void option_only(const char *key, ...) __attribute__((sentinel));
/* Called once, on vCPU 0, before all others of these. */
void option_start(void);

#endif
