/* SPDX-License-Identifier: GPL-2.0-only */
/* A lock between vCPUs: xchg, and pause while it is taken. Zero is unlocked. */
#ifndef GUEST_SPINLOCK_H
#define GUEST_SPINLOCK_H

#include "atomic.h"

struct spinlock {
	uint32_t locked;
};

static inline bool spin_trylock(struct spinlock *lock)
{
	return atomic_exchange(&lock->locked, 1u) == 0;
}

static inline void spin_lock(struct spinlock *lock)
{
	while (!spin_trylock(lock))
		while (__atomic_load_n(&lock->locked, __ATOMIC_RELAXED))
			cpu_relax();
}

static inline void spin_unlock(struct spinlock *lock)
{
	__atomic_store_n(&lock->locked, 0u, __ATOMIC_RELEASE);
}

#endif
