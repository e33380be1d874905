/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/interposed/translate.h"

#include <pthread.h>

#include "engine/interposed/inside.h"
#include "engine/interposed/system.h"

#define EXPORTED __attribute__((visibility("default")))
#define likely(x) __builtin_expect(!!(x), 1)

enum { CPUS = 256 };

static struct translation *all[CPUS];
static unsigned used;
static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;
/* Of the block that this thread translates. One that ended in a fault leaves it behind: what is in it still holds. */
static _Thread_local struct translation *now;

EXPORTED bool pv_translate(struct translation *translation)
{
	unsigned i = 0;

	pthread_mutex_lock(&changing);
	while (i < used && all[i])
		i++;
	if (i < CPUS) {
		__atomic_store_n(&all[i], translation, __ATOMIC_RELEASE);
		if (i == used)
			__atomic_store_n(&used, i + 1, __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&changing);
	return i < CPUS;
}

EXPORTED void pv_translate_no_more(struct translation *translation)
{
	pthread_mutex_lock(&changing);
	for (unsigned i = 0; i < used; i++)
		if (all[i] == translation)
			__atomic_store_n(&all[i], NULL, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&changing);
	if (now == translation)
		now = NULL;
}

static inline struct translation *translation_of(const void *env)
{
	unsigned n = __atomic_load_n(&used, __ATOMIC_ACQUIRE);

	for (unsigned i = 0; i < n; i++) {
		struct translation *translation = __atomic_load_n(&all[i], __ATOMIC_ACQUIRE);

		if (likely(translation && translation->env == env))
			return translation;
	}
	return NULL;
}

EXPORTED void gen_intermediate_code_x86_64(void *cpu, void *block, int most);
void gen_intermediate_code_x86_64(void *cpu, void *block, int most)
{
	static void *unicorns;
	struct translation *translation = translation_of((uint8_t *)cpu + INSIDE_STATE_BEHIND_CPU);
	const struct inside_block *translated = block;

	now = NULL;
	if (system_steps())
		most = 1;
	if (translation) {
		most = translation->plan(translation, translated->address, translated->code, most);
		now = translation;
	}
	((void (*)(void *, void *, int))inside_next(&unicorns, "gen_intermediate_code_x86_64"))(cpu, block, most);
	now = NULL;
	if (translation)
		translation->translated(translation, translated->size);
}

/* Where the translator is shown something else. */
static const uint8_t *shown_at(const void *env, uint64_t address, unsigned bytes)
{
	const struct shown *shown = &now->shown;

	if (now->env != env || address - shown->address >= shown->size || shown->size - (address - shown->address) < bytes)
		return NULL;
	return shown->bytes + (address - shown->address);
}

/* A fetch of the translator's. */
#define FETCH(name, type, read)                                                                                   \
	EXPORTED type name(void *env, uint64_t address);                                                          \
	type name(void *env, uint64_t address)                                                                    \
	{                                                                                                         \
		static void *unicorns;                                                                            \
		const uint8_t *shown = now ? shown_at(env, address, sizeof(read)) : NULL;                         \
		read value;                                                                                       \
                                                                                                                  \
		if (!shown)                                                                                       \
			return ((type (*)(void *, uint64_t))inside_next(&unicorns, #name))(env, address);         \
		__builtin_memcpy(&value, shown, sizeof(value));                                                   \
		return value;                                                                                     \
	}

FETCH(cpu_ldub_code_x86_64, uint32_t, uint8_t)
FETCH(cpu_lduw_code_x86_64, uint32_t, uint16_t)
FETCH(cpu_ldl_code_x86_64, uint32_t, uint32_t)
FETCH(cpu_ldq_code_x86_64, uint64_t, uint64_t)

EXPORTED uint8_t pv_translate_fetch(void *env, uint64_t address)
{
	return (uint8_t)cpu_ldub_code_x86_64(env, address);
}

static inline bool execute(void *env, uintptr_t retaddr)
{
	struct translation *translation = translation_of(env);

	return translation && translation->execute(translation, retaddr);
}

/* With an exception that waits. Unicorn's own would raise it for no instruction. */
EXPORTED void helper_fwait_x86_64(void *env);
void helper_fwait_x86_64(void *env)
{
	typedef void raise_fn(void *env, int vector, int error, uintptr_t retaddr);
	enum { STATUS_ES = 1 << 7, CR0_NE = 1 << 5, VECTOR_MF = 16 };
	static void *raise;

	if ((((struct inside_state *)env)->x87_status & STATUS_ES) && (((struct inside_state *)env)->cr[0] & CR0_NE))
		((raise_fn *)inside_next(&raise, "raise_exception_err_ra_x86_64"))(env, VECTOR_MF, 0,
										(uintptr_t)__builtin_return_address(0));
}

/* What is shown becomes a call of one of these. Unicorn's own are jumped to: they look at where they were called from. */
EXPORTED void helper_cpuid_x86_64(void *env);
void helper_cpuid_x86_64(void *env)
{
	static void *unicorns;

	if (!execute(env, (uintptr_t)__builtin_return_address(0)))
		((void (*)(void *))inside_next(&unicorns, "helper_cpuid_x86_64"))(env);
}

EXPORTED void helper_verr_x86_64(void *env, uint64_t selector);
void helper_verr_x86_64(void *env, uint64_t selector)
{
	static void *unicorns;

	if (!execute(env, (uintptr_t)__builtin_return_address(0)))
		((void (*)(void *, uint64_t))inside_next(&unicorns, "helper_verr_x86_64"))(env, selector);
}

EXPORTED void helper_fcomi_ST0_FT0_x86_64(void *env);
void helper_fcomi_ST0_FT0_x86_64(void *env)
{
	static void *unicorns;

	if (!execute(env, (uintptr_t)__builtin_return_address(0)))
		((void (*)(void *))inside_next(&unicorns, "helper_fcomi_ST0_FT0_x86_64"))(env);
}
