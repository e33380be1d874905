/* SPDX-License-Identifier: GPL-2.0-only */
/* YMM registers. They are off at the start, as after a reset. */
#ifndef GUEST_AVX_H
#define GUEST_AVX_H

#include <stdbool.h>

/*
 * Lets all vCPUs execute AVX, and has exceptions save what that needs; false if CPUID does not offer it. On vCPU 0,
 * first of all in guest_main() and before anything is sampled: a function that is compiled for AVX may use it anywhere.
 */
bool avx_start(void);

#endif
