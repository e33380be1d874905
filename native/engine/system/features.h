/* SPDX-License-Identifier: GPL-2.0-only */
/* What the guest's processor has beyond the x86-64 of 2003, as bits of enum x86_feature (x86/insn.h). */
#ifndef PV_FEATURES_H
#define PV_FEATURES_H

#include <stdint.h>

/* Of a model, enum pv_cpu, whether or not it can be had on a host with these. */
uint64_t engine_cpu_features(uint32_t model, uint64_t host);
/* The same, if it can: 0, or -EOPNOTSUPP and a sentence. */
int engine_cpu_choose(uint32_t model, uint64_t host, uint64_t *features, char *why, uint64_t why_size);
/* Of the processor that this runs on, as far as programs may use it. */
uint64_t engine_host_features(void);
/* As Linux says it in /proc/cpuinfo; "" if it does not, NULL behind the last. */
const char *engine_feature_name(uint32_t feature);
/* Their bits in a register (0: EAX, and so on) of a CPUID leaf; of leaf 0xd subleaf 1, of all others 0. */
uint32_t features_in(uint64_t features, uint32_t leaf, unsigned reg);

#endif
