/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/interposed/fast_store.h"

#include <malloc.h>

#include "engine/interposed/access.h"
#include "engine/interposed/inside.h"

#define EXPORTED __attribute__((visibility("default")))
#define likely(x) __builtin_expect(!!(x), 1)

enum {
	PAGE = 4096,
	MOST_BYTES = 1 << 26,
	NOT_DIRTY = 1 << 10,     /* of an entry's address: stores are to be looked at */
	ACCESS_TABLE = 15,       /* of `access` */
	ACCESS_ALIGNED = 7 << 8, /* it faults if it is not */
};

static struct fast_stores *now;

EXPORTED void pv_store_fast(struct fast_stores *stores)
{
	__atomic_store_n(&now, stores, __ATOMIC_RELEASE);
}

EXPORTED struct fast_stores *pv_store_fast_now(void)
{
	return __atomic_load_n(&now, __ATOMIC_ACQUIRE);
}

EXPORTED bool pv_store_is_known(void *cpu, void *env)
{
	const struct inside_table *tables = inside_tlb_of(env)->table;

	if ((uint8_t *)cpu + INSIDE_STATE_BEHIND_CPU != env)
		return false;
	for (unsigned i = 0; i < INSIDE_TABLES; i++) {
		uint64_t bytes = tables[i].mask + sizeof(struct inside_entry);

		if (tables[i].mask % sizeof(struct inside_entry) || !tables[i].mask || (bytes & (bytes - 1)) || bytes > MOST_BYTES ||
		    malloc_usable_size(tables[i].entries) < bytes)
			return false;
	}
	return true;
}

static struct inside_entry *entry_of(void *env, uint64_t address, uint32_t access)
{
	const struct inside_table *table = &inside_tlb_of(env)->table[access & ACCESS_TABLE];

	return &table->entries[address / PAGE & table->mask / sizeof(struct inside_entry)];
}

static bool is_on(struct fast_stores *stores, void *env)
{
	if (stores && !stores->env)
		stores->env = env;
	return stores && stores->env == env && stores->on;
}

/* Where it is in this process; NULL: it is Unicorn's. */
static void *place(struct fast_stores *stores, void *env, uint64_t address, unsigned size, uint32_t access)
{
	struct inside_entry *entry;
	uint64_t at, lines;

	if (!is_on(stores, env) || (access & ACCESS_ALIGNED))
		return NULL;
	entry = entry_of(env, address, access);
	if (entry->write != (address / PAGE * PAGE | NOT_DIRTY) || address % PAGE + size > PAGE)
		return NULL;
	at = address + entry->addend - (uint64_t)stores->ram;
	if (at >= stores->size)
		return NULL;
	lines = stores->code_lines[at / PAGE];
	if (!lines)
		entry->write = address / PAGE * PAGE;
	else if ((lines >> at / CODE_LINE % 64 | lines >> (at + size - 1) / CODE_LINE % 64) & 1)
		return NULL;
	return stores->ram + at;
}

/* A store was made that other processes may have to know of. */
static void tell(struct fast_stores *stores, void *env, uint64_t address, unsigned size, uint32_t access)
{
	const struct inside_entry *entry = entry_of(env, address, access);
	uint64_t at = address + entry->addend - (uint64_t)stores->ram;

	if (entry->write / PAGE == address / PAGE && at < stores->size)
		stores->stored(stores->owner, at, size);
}

static void tell_all(struct fast_stores *stores, void *env, uint64_t address, unsigned size, uint32_t access)
{
	unsigned here = PAGE - (unsigned)(address % PAGE);

	tell(stores, env, address, size < here ? size : here, access);
	if (size > here)
		tell(stores, env, address + here, size - here, access);
}

/*
 * Does Unicorn store it byte by byte, and in vain if that rewrites the block that it is in? Then it would call no hook
 * of memory any more: it takes each for a part of what it was about to store. Across pages it has to look at both first.
 */
static bool is_in_parts(const struct fast_stores *stores, void *env, uint64_t address, unsigned size)
{
	return stores && stores->env == env && !stores->on && address % size && address % PAGE + size <= PAGE;
}

typedef void store_byte_fn(void *env, uint64_t address, uint8_t value, uint32_t access, uintptr_t retaddr);
EXPORTED store_byte_fn helper_ret_stb_mmu_x86_64;

/* One access of this process's, aligned or not. */
#define STORE(name, type)                                                                                         \
	struct name##_at_any_address {                                                                            \
		type value;                                                                                       \
	} __attribute__((packed, may_alias));                                                                     \
                                                                                                                  \
	typedef void name##_fn(void *env, uint64_t address, type value, uint32_t access, uintptr_t retaddr);      \
                                                                                                                  \
	EXPORTED __attribute__((no_sanitize("thread"))) name##_fn name; /* what races there is the guest */        \
	void name(void *env, uint64_t address, type value, uint32_t access, uintptr_t retaddr)                    \
	{                                                                                                         \
		static name##_fn *unicorns;                                                                       \
		struct fast_stores *stores = pv_store_fast_now();                                                 \
		void *at = place(stores, env, address, sizeof(value), access);                                    \
                                                                                                                  \
		if (likely(at)) {                                                                                 \
			stores->done++;                                                                           \
			((volatile struct name##_at_any_address *)at)->value = value;                             \
			if (stores->stored && stores->code_lines[((uint8_t *)at - stores->ram) / PAGE])            \
				stores->stored(stores->owner, (uint64_t)((uint8_t *)at - stores->ram), sizeof(value)); \
			return;                                                                                   \
		}                                                                                                 \
		if (is_in_parts(stores, env, address, sizeof(value))) {                                           \
			for (unsigned i = 0; i < sizeof(value); i++)                                              \
				helper_ret_stb_mmu_x86_64(env, address + i, (uint8_t)((uint64_t)value >> 8 * i), access, retaddr); \
			return;                                                                                   \
		}                                                                                                 \
		pv_access_note(address, sizeof(value));                                                                          \
		if (stores && stores->env == env && stores->stored) {                                             \
			((name##_fn *)inside_next((void **)&unicorns, #name))(env, address, value, access, retaddr); \
			tell_all(stores, env, address, sizeof(value), access);                                    \
			return;                                                                                   \
		}                                                                                                 \
		((name##_fn *)inside_next((void **)&unicorns, #name))(env, address, value, access, retaddr);      \
	}

STORE(helper_ret_stb_mmu_x86_64, uint8_t)
STORE(helper_le_stw_mmu_x86_64, uint16_t)
STORE(helper_le_stl_mmu_x86_64, uint32_t)
STORE(helper_le_stq_mmu_x86_64, uint64_t)

/*
 * Unicorn has stored something, by any way, under an address at which it may not be executed: by itself it would let
 * all stores to that page pass from then on, though it is executed at another address, or privilege. place() says which.
 */
EXPORTED void tlb_set_dirty_x86_64(void *cpu, uint64_t address);
void tlb_set_dirty_x86_64(void *cpu, uint64_t address)
{
	static void *unicorns;
	struct fast_stores *stores = pv_store_fast_now();

	if (stores && (stores->on || stores->stored) && stores->env == (uint8_t *)cpu + INSIDE_STATE_BEHIND_CPU)
		return;
	((void (*)(void *, uint64_t))inside_next(&unicorns, "tlb_set_dirty_x86_64"))(cpu, address);
}

/* Unicorn is about to store to RAM from which there are translations, or may be: by other ways, too, than those above. */
EXPORTED void tb_invalidate_phys_page_fast_x86_64(void *uc, void *pages, uint64_t offset, int size, uintptr_t retaddr);
void tb_invalidate_phys_page_fast_x86_64(void *uc, void *pages, uint64_t offset, int size, uintptr_t retaddr)
{
	static void *unicorns;
	struct fast_stores *stores = pv_store_fast_now();

	if (stores && stores->stored)
		stores->stores(stores->owner, offset, (unsigned)size);
	((void (*)(void *, void *, uint64_t, int, uintptr_t))inside_next(&unicorns, "tb_invalidate_phys_page_fast_x86_64"))(
		uc, pages, offset, size, retaddr);
}

/*
 * The walk of the page tables marks an entry as used, or written to. Unicorn's would bring an entry back that another vCPU
 * has changed meanwhile: that has its TLBs flushed, and what is marked here is one that stands.
 */
EXPORTED void x86_stl_phys_notdirty_x86_64(void *cpu, uint64_t gpa, uint32_t value);
void x86_stl_phys_notdirty_x86_64(void *cpu, uint64_t gpa, uint32_t value)
{
	enum { ACCESSED = 1 << 5, DIRTY = 1 << 6 };
	static void *unicorns;
	struct fast_stores *stores = pv_store_fast_now();
	uint32_t *entry, old;

	if (!stores || !stores->stored || gpa >= stores->size || gpa % sizeof(*entry)) {
		((void (*)(void *, uint64_t, uint32_t))inside_next(&unicorns, "x86_stl_phys_notdirty_x86_64"))(cpu, gpa, value);
		return;
	}
	entry = (uint32_t *)(void *)(stores->ram + gpa);
	old = __atomic_load_n(entry, __ATOMIC_ACQUIRE);
	while (!((old ^ value) & ~(uint32_t)(ACCESSED | DIRTY)))
		if (__atomic_compare_exchange_n(entry, &old, old | value, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE))
			return;
}
