/* SPDX-License-Identifier: GPL-2.0-only */
/* pv_sync.h on real threads: futexes, and the policing of locks. */
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "abi/recheck.h"
#include "core/locks/pv_sync.h"

#ifndef pv_lock_point /* before a lock is taken, and with it held; sync_noise.h has one */
#define pv_lock_point() ((void)0)
#endif

enum { FREE = 0, HELD = 1, CONTENDED = 2 };
enum { SPINS_BEFORE_SLEEP = 100, SPINS_BEFORE_YIELD = 1000 };

static void futex_wait(pv_u32 *word, uint32_t value, const struct timespec *timeout)
{
	syscall(SYS_futex, &word->v, FUTEX_WAIT_PRIVATE, value, timeout, NULL, 0);
}

static void futex_wake(pv_u32 *word, int n)
{
	syscall(SYS_futex, &word->v, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

static bool take_if_free(struct pv_lock *lock)
{
	uint32_t expected = FREE;

	return __atomic_compare_exchange_n(&lock->state.v, &expected, HELD, false,
					   __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static struct pv_thread *owner_of(const struct pv_lock *lock)
{
	return __atomic_load_n(&lock->owner, __ATOMIC_RELAXED);
}

static const char *place_of(const struct pv_lock *lock)
{
	const char *where = __atomic_load_n(&lock->where, __ATOMIC_RELAXED);

	return where ? where : "nowhere";
}

static const char *name_of(const struct pv_thread *thread)
{
	return thread ? thread->name : "nobody";
}

static void lock_init(struct pv_lock *lock, enum pv_rank rank, const char *name)
{
	*lock = (struct pv_lock){ .magic = PV_LOCK_MAGIC, .rank = rank, .name = name };
}

/* Held locks need not stand in the order of their ranks: a trylock may have come out of order. */
static void check_order(const struct pv_thread *self, const struct pv_lock *lock, const char *where)
{
	pv_lock_point();
	pv_not_in_nmi(lock->name);
	if (owner_of(lock) == self)
		pv_panic("%s at %s locks %s again, which it took at %s", self->name, where,
			 lock->name, place_of(lock));
	for (unsigned i = 0; i < self->held; i++)
		if (lock->rank <= self->locks[i]->rank || self->held == PV_LOCK_DEPTH)
			pv_panic("%s at %s takes %s while it holds %s, taken at %s: wrong order",
				 self->name, where, lock->name, self->locks[i]->name,
				 place_of(self->locks[i]));
}

void pv_nmi_enter(void)
{
	pv_self()->nmi++;
}

void pv_nmi_exit_at(const char *where)
{
	if (!pv_self()->nmi--)
		pv_panic("%s at %s leaves an NMI that it is not in", pv_self()->name, where);
}

void pv_not_in_nmi(const char *what)
{
	const struct pv_thread *self = pv_self();

	if (self->nmi)
		pv_panic("%s waits in NMI context: %s", self->name, what);
}

static void note_taken(struct pv_thread *self, struct pv_lock *lock, const char *where)
{
	__atomic_store_n(&lock->owner, self, __ATOMIC_RELAXED);
	__atomic_store_n(&lock->where, where, __ATOMIC_RELAXED);
	self->locks[self->held++] = lock;
	pv_lock_point();
}

static void note_released(struct pv_thread *self, struct pv_lock *lock, const char *where)
{
	unsigned at = self->held;

	if (owner_of(lock) != self)
		pv_panic("%s at %s unlocks %s, which %s holds, taken at %s", self->name, where,
			 lock->name, name_of(owner_of(lock)), place_of(lock));
	while (at && self->locks[at - 1] != lock)
		at--;
	for (; at && at < self->held; at++)
		self->locks[at - 1] = self->locks[at];
	self->held--;
	__atomic_store_n(&lock->owner, NULL, __ATOMIC_RELAXED);
}

void pv_mutex_init(struct pv_mutex *mutex, enum pv_rank rank, const char *name)
{
	lock_init(&mutex->lock, rank, name);
}

void pv_mutex_destroy_at(struct pv_mutex *mutex, const char *where)
{
	struct pv_lock *lock = &mutex->lock;

	if (pv_u32_load(&lock->state) != FREE)
		pv_panic("%s at %s destroys %s, which %s holds, taken at %s", pv_self()->name,
			 where, lock->name, name_of(owner_of(lock)), place_of(lock));
}

/* A lock that was freed meanwhile is nobody's to release. */
static void check_is_lock(const struct pv_lock *lock, const char *where)
{
	if (__atomic_load_n(&lock->magic, __ATOMIC_RELAXED) != PV_LOCK_MAGIC)
		pv_panic("%s in %s at %s waits for a lock in memory that was freed", pv_self()->name,
			 pv_self()->doing ? pv_self()->doing : "no operation", where);
}

/* The slow path: a thread that sleeps marks the lock, so that the owner wakes it. */
static void mutex_wait(struct pv_lock *lock, const char *where)
{
	for (int i = 0; i < SPINS_BEFORE_SLEEP; i++) {
		if (pv_u32_load(&lock->state) == FREE && take_if_free(lock))
			return;
		__builtin_ia32_pause();
	}
	while (pv_u32_exchange(&lock->state, CONTENDED) != FREE) {
		pv_check_unwind();
		check_is_lock(lock, where);
		futex_wait(&lock->state, CONTENDED, &recheck);
	}
}

void pv_mutex_lock_at(struct pv_mutex *mutex, const char *where)
{
	struct pv_thread *self = pv_self();

	check_order(self, &mutex->lock, where);
	if (!take_if_free(&mutex->lock))
		mutex_wait(&mutex->lock, where);
	note_taken(self, &mutex->lock, where);
}

bool pv_mutex_trylock_at(struct pv_mutex *mutex, const char *where)
{
	struct pv_thread *self = pv_self();

	if (!self->nmi && owner_of(&mutex->lock) == self)
		pv_panic("%s at %s locks %s again, which it took at %s", self->name, where,
			 mutex->lock.name, place_of(&mutex->lock));
	if (self->held == PV_LOCK_DEPTH)
		pv_panic("%s at %s holds too many locks to try for %s", self->name, where, mutex->lock.name);
	if (!take_if_free(&mutex->lock))
		return false;
	note_taken(self, &mutex->lock, where);
	return true;
}

void pv_mutex_unlock_at(struct pv_mutex *mutex, const char *where)
{
	struct pv_lock *lock = &mutex->lock;

	note_released(pv_self(), lock, where);
	if (__atomic_exchange_n(&lock->state.v, FREE, __ATOMIC_RELEASE) == CONTENDED)
		futex_wake(&lock->state, 1);
}

void pv_spinlock_init(struct pv_spinlock *spin, const char *name)
{
	lock_init(&spin->lock, PV_RANK_LEAF, name);
	pv_u32_store(&spin->waiters, 0);
}

/* Spins until the word is 0. With more threads than cores who sets it may not be running: yields now and then. */
static void spin_until_0(const pv_u32 *word)
{
	for (int spins = 1; pv_u32_load(word); spins++) {
		__builtin_ia32_pause();
		if (spins % SPINS_BEFORE_YIELD == 0) {
			pv_check_unwind();
			sched_yield();
		}
	}
}

static void spin_wait(struct pv_spinlock *spin)
{
	pv_u32_add(&spin->waiters, 1);
	do
		spin_until_0(&spin->lock.state);
	while (!take_if_free(&spin->lock));
	pv_u32_sub(&spin->waiters, 1);
}

void pv_spin_lock_at(struct pv_spinlock *spin, const char *where)
{
	struct pv_thread *self = pv_self();

	check_order(self, &spin->lock, where);
	if (!take_if_free(&spin->lock))
		spin_wait(spin);
	note_taken(self, &spin->lock, where);
}

void pv_spin_give_way(struct pv_spinlock *spin)
{
	spin_until_0(&spin->waiters);
}

void pv_spin_unlock_at(struct pv_spinlock *spin, const char *where)
{
	note_released(pv_self(), &spin->lock, where);
	pv_u32_store(&spin->lock.state, FREE);
}

void pv_hold_nothing_at(const char *where)
{
	const struct pv_thread *self = pv_self();

	if (self->held)
		pv_panic("%s at %s still holds %s, taken at %s", self->name, where,
			 self->locks[0]->name, place_of(self->locks[0]));
}

uint32_t pv_ticket_at(struct pv_event_count *count, const char *where)
{
	(void)where;
	return __atomic_load_n(&count->sequence.v, __ATOMIC_SEQ_CST);
}

static void event_count_wait(struct pv_event_count *count, uint32_t ticket,
			     const struct timespec *timeout)
{
	pv_check_unwind();
	pv_u32_add(&count->waiters, 1);
	if (pv_ticket(count) == ticket)
		futex_wait(&count->sequence, ticket, timeout);
	pv_u32_sub(&count->waiters, 1);
}

void pv_wait_at(struct pv_event_count *count, uint32_t ticket, const char *where)
{
	(void)where;
	event_count_wait(count, ticket, &recheck);
}

void pv_wait_until(struct pv_event_count *count, uint32_t ticket, uint64_t deadline)
{
	struct timespec now, left = recheck;
	uint64_t ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	if (ns >= deadline)
		return;
	if (deadline - ns < PV_RECHECK_NS)
		left.tv_nsec = (long)(deadline - ns);
	event_count_wait(count, ticket, &left);
}

void pv_wake_at(struct pv_event_count *count, const char *where)
{
	(void)where;
	pv_u32_add(&count->sequence, 1);
	if (__atomic_load_n(&count->waiters.v, __ATOMIC_SEQ_CST))
		futex_wake(&count->sequence, INT32_MAX);
}
