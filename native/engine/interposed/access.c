/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/interposed/access.h"

#include "engine/interposed/inside.h"

#define EXPORTED __attribute__((visibility("default")))

static _Thread_local struct {
	bool noted;
	unsigned bytes;
	uint64_t address;
} last;

EXPORTED void pv_access_note(uint64_t address, unsigned bytes)
{
	last.address = address;
	last.bytes = bytes;
	last.noted = true;
}

EXPORTED void pv_access_within(uint64_t *address, uint64_t *bytes)
{
	uint64_t first = *address > last.address ? *address : last.address;
	uint64_t behind = *address + *bytes < last.address + last.bytes ? *address + *bytes : last.address + last.bytes;

	if (first >= behind)
		return;
	*address = first;
	*bytes = behind - first;
}

EXPORTED bool pv_access_take(uint64_t *address)
{
	bool noted = last.noted;

	*address = last.address;
	last.noted = false;
	return noted;
}

/* What Unicorn's translated code calls for a load. */
#define LOAD(name, type, bytes)                                                                                          \
	typedef type name##_fn(void *env, uint64_t address, uint32_t access, uintptr_t retaddr);                  \
                                                                                                                  \
	EXPORTED name##_fn name;                                                                                  \
	type name(void *env, uint64_t address, uint32_t access, uintptr_t retaddr)                               \
	{                                                                                                         \
		static name##_fn *unicorns;                                                                       \
                                                                                                                  \
		pv_access_note(address, bytes);                                                                          \
		return ((name##_fn *)inside_next((void **)&unicorns, #name))(env, address, access, retaddr);     \
	}

LOAD(helper_ret_ldub_mmu_x86_64, uint64_t, 1)
LOAD(helper_le_lduw_mmu_x86_64, uint64_t, 2)
LOAD(helper_le_ldul_mmu_x86_64, uint64_t, 4)
LOAD(helper_le_ldq_mmu_x86_64, uint64_t, 8)
LOAD(helper_be_lduw_mmu_x86_64, uint64_t, 2)
LOAD(helper_be_ldul_mmu_x86_64, uint64_t, 4)
LOAD(helper_be_ldq_mmu_x86_64, uint64_t, 8)

/* The same for a store, in the other order of bytes: movbe. */
#define STORE(name, type)                                                                                         \
	typedef void name##_fn(void *env, uint64_t address, type value, uint32_t access, uintptr_t retaddr);      \
                                                                                                                  \
	EXPORTED name##_fn name;                                                                                  \
	void name(void *env, uint64_t address, type value, uint32_t access, uintptr_t retaddr)                   \
	{                                                                                                         \
		static name##_fn *unicorns;                                                                       \
                                                                                                                  \
		pv_access_note(address, sizeof(value));                                                                          \
		((name##_fn *)inside_next((void **)&unicorns, #name))(env, address, value, access, retaddr);     \
	}

STORE(helper_be_stw_mmu_x86_64, uint16_t)
STORE(helper_be_stl_mmu_x86_64, uint32_t)
STORE(helper_be_stq_mmu_x86_64, uint64_t)

/* What its functions of whole instructions load and store by. */
#define LOAD_INSIDE(name, type, bytes)                                                                                   \
	typedef type name##_fn(void *env, uint64_t address, int mmu, uintptr_t retaddr);                          \
                                                                                                                  \
	EXPORTED name##_fn name;                                                                                  \
	type name(void *env, uint64_t address, int mmu, uintptr_t retaddr)                                        \
	{                                                                                                         \
		static name##_fn *unicorns;                                                                       \
                                                                                                                  \
		pv_access_note(address, bytes);                                                                          \
		return ((name##_fn *)inside_next((void **)&unicorns, #name))(env, address, mmu, retaddr);         \
	}

LOAD_INSIDE(cpu_ldub_mmuidx_ra_x86_64, uint32_t, 1)
LOAD_INSIDE(cpu_ldsb_mmuidx_ra_x86_64, int, 1)
LOAD_INSIDE(cpu_lduw_mmuidx_ra_x86_64, uint32_t, 2)
LOAD_INSIDE(cpu_ldsw_mmuidx_ra_x86_64, int, 2)
LOAD_INSIDE(cpu_ldl_mmuidx_ra_x86_64, uint32_t, 4)
LOAD_INSIDE(cpu_ldq_mmuidx_ra_x86_64, uint64_t, 8)

#define STORE_INSIDE(name, type, bytes)                                                                                  \
	typedef void name##_fn(void *env, uint64_t address, type value, int mmu, uintptr_t retaddr);              \
                                                                                                                  \
	EXPORTED name##_fn name;                                                                                  \
	void name(void *env, uint64_t address, type value, int mmu, uintptr_t retaddr)                            \
	{                                                                                                         \
		static name##_fn *unicorns;                                                                       \
                                                                                                                  \
		pv_access_note(address, bytes);                                                                          \
		((name##_fn *)inside_next((void **)&unicorns, #name))(env, address, value, mmu, retaddr);         \
	}

STORE_INSIDE(cpu_stb_mmuidx_ra_x86_64, uint32_t, 1)
STORE_INSIDE(cpu_stw_mmuidx_ra_x86_64, uint32_t, 2)
STORE_INSIDE(cpu_stl_mmuidx_ra_x86_64, uint32_t, 4)
STORE_INSIDE(cpu_stq_mmuidx_ra_x86_64, uint64_t, 8)
