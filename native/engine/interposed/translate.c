/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/interposed/translate.h"

#include "engine/interposed/inside.h"
#include "engine/interposed/system.h"

enum { CODE_64 = 1 << 15, RFLAGS_RF = 1 << 16 }; /* of a translation's flags */

#define EXPORTED __attribute__((visibility("default")))

/* Of the CPU that executes on this thread. */
static struct translation *translation_now(void)
{
	struct system_calls *calls = system_now();

	return calls ? calls->translation : NULL;
}

EXPORTED void gen_intermediate_code_x86_64(void *cpu, void *block, int most);
void gen_intermediate_code_x86_64(void *cpu, void *block, int most)
{
	static void *unicorns;
	struct system_calls *calls = system_now();
	struct translation *translation = translation_now();
	const struct inside_block *translated = block;

	/* Unicorn takes RF from the guest at the end of a block: it is for one instruction. */
	if ((calls && calls->watches) || !(translated->flags & CODE_64) || translated->flags & RFLAGS_RF)
		most = 1;
	if (!(translated->flags & CODE_64))
		translation = NULL;
	if (translation)
		most = translation->plan(translation, translated->address, translated->code, most);
	((void (*)(void *, void *, int))inside_next(&unicorns, "gen_intermediate_code_x86_64"))(cpu, block, most);
	if (translation) {
		translation->shown.size = 0;
		translation->translated(translation, translated->size);
	}
}

/* Where the translator is shown something else. A translation that ended in a fault leaves it behind: it still holds. */
static const uint8_t *shown_at(uint64_t address, unsigned bytes)
{
	const struct translation *translation = translation_now();
	const struct shown *shown = translation ? &translation->shown : NULL;

	if (!shown || address - shown->address >= shown->size || shown->size - (address - shown->address) < bytes)
		return NULL;
	return shown->bytes + (address - shown->address);
}

/* A fetch of the translator's. */
#define FETCH(name, type, read)                                                                                   \
	EXPORTED type name(void *env, uint64_t address);                                                          \
	type name(void *env, uint64_t address)                                                                    \
	{                                                                                                         \
		static void *unicorns;                                                                            \
		const uint8_t *shown = shown_at(address, sizeof(read));                                           \
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

static bool execute(uintptr_t retaddr)
{
	struct translation *translation = translation_now();

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

	if (!execute((uintptr_t)__builtin_return_address(0)))
		((void (*)(void *))inside_next(&unicorns, "helper_cpuid_x86_64"))(env);
}

EXPORTED void helper_verr_x86_64(void *env, uint64_t selector);
void helper_verr_x86_64(void *env, uint64_t selector)
{
	static void *unicorns;

	if (!execute((uintptr_t)__builtin_return_address(0)))
		((void (*)(void *, uint64_t))inside_next(&unicorns, "helper_verr_x86_64"))(env, selector);
}

EXPORTED void helper_fcomi_ST0_FT0_x86_64(void *env);
void helper_fcomi_ST0_FT0_x86_64(void *env)
{
	static void *unicorns;

	if (!execute((uintptr_t)__builtin_return_address(0)))
		((void (*)(void *))inside_next(&unicorns, "helper_fcomi_ST0_FT0_x86_64"))(env);
}
