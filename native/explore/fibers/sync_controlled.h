/* SPDX-License-Identifier: GPL-2.0-only */
/* The inline part of pv_sync.h on fibers: every access is a point, and knows its place. */
#ifndef PV_SYNC_CONTROLLED_H
#define PV_SYNC_CONTROLLED_H

#include <stdint.h>

#include "explore/fibers/canary.h"
#include "explore/fibers/race.h"
#include "explore/fibers/schedule.h"
#include "explore/fibers/store_buffer.h"

typedef struct {
	uint32_t v;
} pv_u32;

typedef struct {
	uint64_t v;
} pv_u64;

typedef struct {
	void *v;
} pv_ptr;

#define PV_INLINE RACE_UNSEEN static inline
#define pv_point(tag) schedule_point(POINT_TAG, NULL, PV_HERE " " tag)

/* One fiber runs at a time, so that plain accesses are atomic. */
#define PV_CONTROLLED(word_, value_)                                                              \
	PV_INLINE value_ word_##_load_at(const word_ *word, const char *where)                    \
	{                                                                                         \
		value_ waits;                                                                     \
                                                                                                  \
		schedule_point(POINT_LOAD, word, where);                                          \
		race_acquire(word);                                                               \
		if (!schedule.buffered || !store_buffer_get(word, &waits))                        \
			return word->v;                                                           \
		return waits;                                                                     \
	}                                                                                         \
	PV_INLINE void word_##_store_at(word_ *word, value_ value, const char *where)             \
	{                                                                                         \
		schedule_point(POINT_STORE, word, where);                                         \
		race_release(word);                                                               \
		if (schedule.tso)                                                                 \
			store_buffer_put(word, &value, sizeof(value), where);                     \
		else                                                                              \
			word->v = value;                                                          \
	}                                                                                         \
	PV_INLINE value_ word_##_exchange_at(word_ *word, value_ value, const char *where)        \
	{                                                                                         \
		value_ old;                                                                       \
                                                                                                  \
		schedule_point(POINT_UPDATE, word, where);                                        \
		race_acquire(word);                                                               \
		race_release(word);                                                               \
		old = word->v;                                                                    \
		word->v = value;                                                                  \
		return old;                                                                       \
	}                                                                                         \
	PV_INLINE bool word_##_replace_at(word_ *word, value_ old, value_ value, const char *where) \
	{                                                                                         \
		schedule_point(POINT_UPDATE, word, where);                                        \
		race_acquire(word);                                                               \
		race_release(word);                                                               \
		if (word->v != old)                                                               \
			return false;                                                             \
		word->v = value;                                                                  \
		return true;                                                                      \
	}
PV_CONTROLLED(pv_u32, uint32_t)
PV_CONTROLLED(pv_u64, uint64_t)
PV_CONTROLLED(pv_ptr, void *)
#undef PV_CONTROLLED

PV_INLINE uint32_t pv_u32_add_at(pv_u32 *word, uint32_t n, const char *where)
{
	schedule_point(POINT_UPDATE, word, where);
	race_acquire(word);
	race_release(word);
	return word->v += n;
}

PV_INLINE uint64_t pv_u64_add_at(pv_u64 *word, uint64_t n, const char *where)
{
	schedule_point(POINT_UPDATE, word, where);
	race_acquire(word);
	race_release(word);
	return word->v += n;
}

#define pv_u32_load(word) pv_u32_load_at(word, PV_HERE)
#define pv_u32_store(word, value) pv_u32_store_at(word, value, PV_HERE)
#define pv_u32_exchange(word, value) pv_u32_exchange_at(word, value, PV_HERE)
#define pv_u32_add(word, n) pv_u32_add_at(word, n, PV_HERE)
#define pv_u32_sub(word, n) pv_u32_add_at(word, 0u - (n), PV_HERE)
#define pv_u64_load(word) pv_u64_load_at(word, PV_HERE)
#define pv_u64_store(word, value) pv_u64_store_at(word, value, PV_HERE)
#define pv_u32_replace(word, old, value) pv_u32_replace_at(word, old, value, PV_HERE)
#define pv_u64_add(word, n) pv_u64_add_at(word, n, PV_HERE)
#define pv_u64_sub(word, n) pv_u64_add_at(word, 0ull - (n), PV_HERE)
#define pv_u64_exchange(word, value) pv_u64_exchange_at(word, value, PV_HERE)
#define pv_ptr_load(word) pv_ptr_load_at(word, PV_HERE)
#define pv_ptr_store(word, value) pv_ptr_store_at(word, value, PV_HERE)
#define pv_ptr_exchange(word, value) pv_ptr_exchange_at(word, value, PV_HERE)
#define pv_ptr_replace(word, old, value) pv_ptr_replace_at(word, old, value, PV_HERE)

PV_INLINE void pv_u64_set_once(pv_u64 *word, uint64_t value)
{
	store_buffer_fence();
	if (!word->v)
		word->v = value;
}

/* One fiber writes it, and nobody decides by it: no point. */
PV_INLINE void pv_u64_count(pv_u64 *word, uint64_t n)
{
	word->v += n;
}

#endif
