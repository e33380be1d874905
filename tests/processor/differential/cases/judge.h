/* SPDX-License-Identifier: GPL-2.0-only */
/* What of a result counts. */
#ifndef DIFFERENTIAL_JUDGE_H
#define DIFFERENTIAL_JUDGE_H

#include "case.h"

/* What CPUID offers beyond x86-64: name, leaf, subleaf, register (0 EAX to 3 EDX), bit. */
#define FEATURES(F)             \
	F(SSE3, 1, 2, 0)        \
	F(PCLMUL, 1, 2, 1)      \
	F(SSSE3, 1, 2, 9)       \
	F(FMA, 1, 2, 12)        \
	F(CX16, 1, 2, 13)       \
	F(SSE41, 1, 2, 19)      \
	F(SSE42, 1, 2, 20)      \
	F(MOVBE, 1, 2, 22)      \
	F(POPCNT, 1, 2, 23)     \
	F(AES, 1, 2, 25)        \
	F(XSAVE, 1, 2, 26)      \
	F(AVX, 1, 2, 28)        \
	F(F16C, 1, 2, 29)       \
	F(FSGSBASE, 7, 1, 0)    \
	F(BMI1, 7, 1, 3)        \
	F(AVX2, 7, 1, 5)        \
	F(BMI2, 7, 1, 8)        \
	F(ADX, 7, 1, 19)        \
	F(SMAP, 7, 1, 20)       \
	F(CLFLUSHOPT, 7, 1, 23) \
	F(CLWB, 7, 1, 24)       \
	F(SHA, 7, 1, 29)        \
	F(GFNI, 7, 2, 8)        \
	F(VAES, 7, 2, 9)        \
	F(VPCLMUL, 7, 2, 10)    \
	F(INVPCID, 7, 1, 10)    \
	F(LAHF, 0x80000001, 2, 0) \
	F(LZCNT, 0x80000001, 2, 5) \
	F(SSE4A, 0x80000001, 2, 6)

enum feature {
#define FEATURE_NUMBER(name, leaf, register, bit) FEATURE_##name,
	FEATURES(FEATURE_NUMBER)
#undef FEATURE_NUMBER
	FEATURE_COUNT,
	FEATURE_NONE = 63 /* of what no guest is offered, whatever the host has: AVX-512, XOP, RTM, ... */
};

/* Bits of what this processor's CPUID offers. */
uint64_t features_offered(void);
/* Bits of what a case needs. */
uint64_t features_needed(const struct form *form);
/* Without this feature it is another instruction (tzcnt is bsf). */
bool features_fall_back(const struct form *form);

/* shld and shrd of 16 bits by more than that: not even the result is defined. */
bool judge_undefined(const struct test_case *c);
/* Takes from a result what is not defined, and what an operating system hides. */
void judge_mask(const struct test_case *c, struct result *result);
/* Bytes of the memory operand, relative to it. */
struct span {
	unsigned from, to;
};
enum { HIDDEN_SPANS = 3 };
/* Those that say where the last x87 instruction was, which bits MXCSR may have, what is in use within the processor. */
void judge_hidden_memory(const struct form *form, struct span ret[HIDDEN_SPANS]);

#endif
