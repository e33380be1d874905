/* SPDX-License-Identifier: GPL-2.0-only */
/* One piece of code for every engine that is compared: see emulator/bench/peers/program.py. */
#ifndef PV_BENCH_PROGRAM_H
#define PV_BENCH_PROGRAM_H

#include <stdint.h>

/* Arithmetic, memory and branches, nothing privileged, no library. The result depends on every iteration. */
uint64_t program(uint64_t iterations);

#endif
