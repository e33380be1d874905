/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/system/features.h"

#include <cpuid.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "engine/count/config.h"
#include "engine/x86/insn.h"

#define BIT(feature) (1ull << (feature))

/* Levels of the x86-64 psABI; the first has SYSENTER, as every processor with the vendor's name does. */
#define LEVEL_1 BIT(X86_SYSENTER)
#define LEVEL_2 (LEVEL_1 | BIT(X86_CX16) | BIT(X86_LAHF) | BIT(X86_POPCNT) | BIT(X86_SSE3) | BIT(X86_SSSE3) | \
		 BIT(X86_SSE41) | BIT(X86_SSE42))
#define LEVEL_3 (LEVEL_2 | BIT(X86_XSAVE) | BIT(X86_AVX) | BIT(X86_AVX2) | BIT(X86_BMI1) | BIT(X86_BMI2) | BIT(X86_F16C) | \
		 BIT(X86_FMA) | BIT(X86_LZCNT) | BIT(X86_MOVBE))
#define UNICORNS (LEVEL_2 | BIT(X86_PCLMULQDQ) | BIT(X86_MOVBE) | BIT(X86_AES) | BIT(X86_XSAVE) | BIT(X86_XSAVEOPT) | \
		  BIT(X86_RDRAND) | BIT(X86_FSGSBASE) | BIT(X86_BMI1) | BIT(X86_BMI2) | BIT(X86_LZCNT) | BIT(X86_RDTSCP))

/* What the engine executes as a processor does. */
#define CARRIED (UNICORNS | LEVEL_3 | BIT(X86_SHA) | BIT(X86_ADX) | BIT(X86_VAES) | BIT(X86_VPCLMULQDQ) | BIT(X86_GFNI) | \
		 BIT(X86_XSAVEC))
/* Of that, by the host's processor. */
#define NATIVE (BIT(X86_SSE3) | BIT(X86_SSSE3) | BIT(X86_SSE41) | BIT(X86_SSE42) | BIT(X86_PCLMULQDQ) | BIT(X86_AES) | \
		BIT(X86_BMI1) | BIT(X86_BMI2) | BIT(X86_LZCNT) | BIT(X86_AVX) | BIT(X86_AVX2) | BIT(X86_F16C) | \
		BIT(X86_FMA) | BIT(X86_SHA) | BIT(X86_ADX) | BIT(X86_VAES) | BIT(X86_VPCLMULQDQ) | BIT(X86_GFNI) | \
		BIT(X86_SSE4A))

enum { EAX, EBX, ECX, EDX };

/* As Linux says it in /proc/cpuinfo; and where CPUID does. Those that the engine will never offer are not asked for. */
static const struct known {
	const char *name;
	uint32_t leaf;
	uint8_t reg, bit;
} known[X86_FEATURES] = {
	[X86_SSE3] = { "pni", 1, ECX, 0 }, [X86_PCLMULQDQ] = { "pclmulqdq", 1, ECX, 1 }, [X86_MONITOR] = { "monitor", 1, ECX, 3 },
	[X86_SSSE3] = { "ssse3", 1, ECX, 9 }, [X86_FMA] = { "fma", 1, ECX, 12 }, [X86_CX16] = { "cx16", 1, ECX, 13 },
	[X86_SSE41] = { "sse4_1", 1, ECX, 19 }, [X86_SSE42] = { "sse4_2", 1, ECX, 20 }, [X86_MOVBE] = { "movbe", 1, ECX, 22 },
	[X86_POPCNT] = { "popcnt", 1, ECX, 23 }, [X86_AES] = { "aes", 1, ECX, 25 }, [X86_XSAVE] = { "xsave", 1, ECX, 26 },
	[X86_AVX] = { "avx", 1, ECX, 28 }, [X86_F16C] = { "f16c", 1, ECX, 29 }, [X86_RDRAND] = { "rdrand", 1, ECX, 30 },
	[X86_SYSENTER] = { "sep", 1, EDX, 11 },
	[X86_FSGSBASE] = { "fsgsbase", 7, EBX, 0 }, [X86_BMI1] = { "bmi1", 7, EBX, 3 }, [X86_AVX2] = { "avx2", 7, EBX, 5 },
	[X86_BMI2] = { "bmi2", 7, EBX, 8 }, [X86_INVPCID] = { "invpcid", 7, EBX, 10 }, [X86_RTM] = { "rtm", 7, EBX, 11 },
	[X86_RDSEED] = { "rdseed", 7, EBX, 18 }, [X86_ADX] = { "adx", 7, EBX, 19 }, [X86_SMAP] = { "smap", 7, EBX, 20 },
	[X86_CLFLUSHOPT] = { "clflushopt", 7, EBX, 23 }, [X86_CLWB] = { "clwb", 7, EBX, 24 }, [X86_SHA] = { "sha_ni", 7, EBX, 29 },
	[X86_PKU] = { "pku", 7, ECX, 3 }, [X86_GFNI] = { "gfni", 7, ECX, 8 }, [X86_VAES] = { "vaes", 7, ECX, 9 },
	[X86_VPCLMULQDQ] = { "vpclmulqdq", 7, ECX, 10 }, [X86_RDPID] = { "rdpid", 7, ECX, 22 },
	[X86_XSAVEOPT] = { "xsaveopt", 0xd, EAX, 0 }, [X86_XSAVEC] = { "xsavec", 0xd, EAX, 1 },
	[X86_XGETBV1] = { "xgetbv1", 0xd, EAX, 2 },
	[X86_LAHF] = { "lahf_lm", 0x80000001, ECX, 0 }, [X86_SVM] = { "svm", 0x80000001, ECX, 2 },
	[X86_LZCNT] = { "abm", 0x80000001, ECX, 5 }, [X86_SSE4A] = { "sse4a", 0x80000001, ECX, 6 },
	[X86_PREFETCHW] = { "3dnowprefetch", 0x80000001, ECX, 8 }, [X86_XOP] = { "xop", 0x80000001, ECX, 11 },
	[X86_FMA4] = { "fma4", 0x80000001, ECX, 16 }, [X86_TBM] = { "tbm", 0x80000001, ECX, 21 },
	[X86_RDTSCP] = { "rdtscp", 0x80000001, EDX, 27 }, [X86_3DNOW] = { "3dnow", 0x80000001, EDX, 31 },
};

uint32_t features_in(uint64_t features, uint32_t leaf, unsigned reg)
{
	uint32_t ret = 0;

	for (unsigned i = 0; i < X86_FEATURES; i++)
		if ((features >> i & 1) && known[i].name && known[i].leaf == leaf && known[i].reg == reg)
			ret |= 1u << known[i].bit;
	return ret;
}

/* May the host's programs use the upper halves of vectors? */
static bool host_has_ymm(void)
{
	enum { OSXSAVE = 1 << 27, SSE_AND_AVX = 6 };
	uint32_t a, b, c, d, low, high;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & OSXSAVE))
		return false;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (low & SSE_AND_AVX) == SSE_AND_AVX;
}

uint64_t engine_host_features(void)
{
	const uint64_t with_ymm = BIT(X86_AVX) | BIT(X86_AVX2) | BIT(X86_FMA) | BIT(X86_F16C) | BIT(X86_VAES) |
				  BIT(X86_VPCLMULQDQ) | BIT(X86_XOP) | BIT(X86_FMA4);
	uint64_t ret = 0;

	for (unsigned i = 0; i < X86_FEATURES; i++) {
		uint32_t out[4] = { 0 }, leaf = known[i].leaf;

		if (known[i].name && __get_cpuid_count(leaf, leaf == 0xd, &out[EAX], &out[EBX], &out[ECX], &out[EDX]))
			ret |= (uint64_t)(out[known[i].reg] >> known[i].bit & 1) << i;
	}
	return host_has_ymm() ? ret : ret & ~with_ymm;
}

const char *engine_feature_name(uint32_t feature)
{
	if (feature >= X86_FEATURES)
		return NULL;
	return known[feature].name ? known[feature].name : "";
}

uint64_t engine_cpu_features(uint32_t model, uint64_t host)
{
	switch (model) {
	case PV_CPU_X86_64:
		return LEVEL_1;
	case PV_CPU_X86_64_V2:
		return LEVEL_2;
	case PV_CPU_X86_64_V3:
		return LEVEL_3;
	case PV_CPU_MAX:
		return CARRIED & (host | ~NATIVE);
	default:
		return UNICORNS & (host | ~NATIVE);
	}
}

/* Their names, with blanks between them. */
static const char *names_of(uint64_t features, char *text, size_t size)
{
	size_t at = 0;

	text[0] = 0;
	for (unsigned i = 0; i < X86_FEATURES && at < size; i++)
		if (features >> i & 1)
			at += (size_t)snprintf(text + at, size - at, "%s%s", at ? " " : "", engine_feature_name(i));
	return text;
}

int engine_cpu_choose(uint32_t model, uint64_t host, uint64_t *features, char *why, uint64_t why_size)
{
	uint64_t wanted = engine_cpu_features(model, host), unknown = wanted & ~CARRIED;
	uint64_t missing = wanted & NATIVE & ~host;
	char names[128];

	if (model >= PV_CPUS)
		snprintf(why, why_size, "there is no processor model %u", model);
	else if (unknown)
		snprintf(why, why_size, "the engine cannot execute what this processor has: %s", names_of(unknown, names, sizeof(names)));
	else if (missing)
		snprintf(why, why_size, "the host's processor has not what this one needs: %s", names_of(missing, names, sizeof(names)));
	else
		*features = wanted;
	return model >= PV_CPUS || unknown || missing ? -EOPNOTSUPP : 0;
}
