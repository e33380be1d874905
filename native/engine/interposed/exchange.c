/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/interposed/exchange.h"

#define EXPORTED __attribute__((visibility("default")))

static struct exchange_means means;
static bool called;

EXPORTED void pv_exchange_by(const struct exchange_means *with)
{
	means = *with;
}

EXPORTED bool pv_exchange_was_called(void)
{
	return __atomic_load_n(&called, __ATOMIC_RELAXED);
}

static void note_call(void)
{
	if (!pv_exchange_was_called())
		__atomic_store_n(&called, true, __ATOMIC_RELAXED);
}

/* A word that holds nothing is guessed first: so do locks that are free. */
#define EXCHANGE(name, type, compare)                                                                \
	EXPORTED type name(void *env, uint64_t address, type value, uint32_t access);                \
	type name(void *env, uint64_t address, type value, uint32_t access)                          \
	{                                                                                            \
		uintptr_t retaddr = (uintptr_t)__builtin_return_address(0);                          \
		type expected = 0, old = means.compare(env, address, expected, value, access, retaddr); \
                                                                                                     \
		note_call();                                                                         \
		while (old != expected) {                                                            \
			expected = old;                                                              \
			old = means.compare(env, address, expected, value, access, retaddr);         \
		}                                                                                    \
		return old;                                                                          \
	}

EXCHANGE(helper_atomic_xchgb_x86_64, uint32_t, byte)
EXCHANGE(helper_atomic_xchgw_le_x86_64, uint32_t, word)
EXCHANGE(helper_atomic_xchgl_le_x86_64, uint32_t, dword)
EXCHANGE(helper_atomic_xchgq_le_x86_64, uint64_t, qword)
