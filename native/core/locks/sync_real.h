/* SPDX-License-Identifier: GPL-2.0-only */
/* The inline part of pv_sync.h on real threads. */
#ifndef PV_SYNC_REAL_H
#define PV_SYNC_REAL_H

#include <stdbool.h>
#include <stdint.h>

#ifndef pv_point /* tests have their own */
#define pv_point(tag) ((void)0)
#endif

typedef struct {
	uint32_t v;
} pv_u32;

typedef struct {
	uint64_t v;
} pv_u64;

typedef struct {
	void *v;
} pv_ptr;

static inline uint32_t pv_u32_load(const pv_u32 *word)
{
	return __atomic_load_n(&word->v, __ATOMIC_ACQUIRE);
}

static inline void pv_u32_store(pv_u32 *word, uint32_t value)
{
	__atomic_store_n(&word->v, value, __ATOMIC_RELEASE);
}

static inline uint32_t pv_u32_exchange(pv_u32 *word, uint32_t value)
{
	return __atomic_exchange_n(&word->v, value, __ATOMIC_SEQ_CST);
}

static inline uint32_t pv_u32_add(pv_u32 *word, uint32_t n)
{
	return __atomic_add_fetch(&word->v, n, __ATOMIC_SEQ_CST);
}

static inline uint32_t pv_u32_sub(pv_u32 *word, uint32_t n)
{
	return __atomic_sub_fetch(&word->v, n, __ATOMIC_SEQ_CST);
}

static inline bool pv_u32_replace(pv_u32 *word, uint32_t old, uint32_t value)
{
	return __atomic_compare_exchange_n(&word->v, &old, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static inline uint64_t pv_u64_load(const pv_u64 *word)
{
	return __atomic_load_n(&word->v, __ATOMIC_ACQUIRE);
}

static inline void pv_u64_store(pv_u64 *word, uint64_t value)
{
	__atomic_store_n(&word->v, value, __ATOMIC_RELEASE);
}

static inline uint64_t pv_u64_add(pv_u64 *word, uint64_t n)
{
	return __atomic_add_fetch(&word->v, n, __ATOMIC_SEQ_CST);
}

static inline uint64_t pv_u64_sub(pv_u64 *word, uint64_t n)
{
	return __atomic_sub_fetch(&word->v, n, __ATOMIC_SEQ_CST);
}

static inline uint64_t pv_u64_exchange(pv_u64 *word, uint64_t value)
{
	return __atomic_exchange_n(&word->v, value, __ATOMIC_SEQ_CST);
}

static inline void pv_u64_set_once(pv_u64 *word, uint64_t value)
{
	uint64_t unset = 0;

	__atomic_compare_exchange_n(&word->v, &unset, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static inline void pv_u64_count(pv_u64 *word, uint64_t n)
{
	__atomic_store_n(&word->v, word->v + n, __ATOMIC_RELAXED);
}

static inline void *pv_ptr_load(const pv_ptr *word)
{
	return __atomic_load_n(&word->v, __ATOMIC_ACQUIRE);
}

static inline void pv_ptr_store(pv_ptr *word, void *value)
{
	__atomic_store_n(&word->v, value, __ATOMIC_RELEASE);
}

static inline void *pv_ptr_exchange(pv_ptr *word, void *value)
{
	return __atomic_exchange_n(&word->v, value, __ATOMIC_SEQ_CST);
}

static inline bool pv_ptr_replace(pv_ptr *word, void *old, void *value)
{
	return __atomic_compare_exchange_n(&word->v, &old, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

#endif
