/* SPDX-License-Identifier: GPL-2.0-only */
/* pv_sync.h on fibers: who has to wait is not run, and locks are policed as in sync_real.c. */
#include "core/locks/pv_sync.h"

#include <stddef.h>

static const char *place_of(const struct pv_lock *lock)
{
	return lock->where ? lock->where : "nowhere";
}

static const char *name_of(const struct pv_thread *thread)
{
	return thread ? thread->name : "nobody";
}

/* pv_self(), where every step counts. */
static inline struct pv_thread *self_here(void)
{
	return schedule.current ? &schedule.current->thread : pv_self();
}

/* Held locks need not stand in the order of their ranks: a trylock may have come out of order. */
static void check_order(const struct pv_thread *self, const struct pv_lock *lock, const char *where)
{
	if (self->nmi)
		pv_not_in_nmi(lock->name);
	if (lock->owner == self)
		schedule_violation(EXPLORE_LOCKS, "%s at %s locks %s again, which it took at %s", self->name,
				   where, lock->name, place_of(lock));
	for (unsigned i = 0; i < self->held; i++)
		if (lock->rank <= self->locks[i]->rank || self->held == PV_LOCK_DEPTH)
			schedule_violation(EXPLORE_LOCKS,
					   "%s at %s takes %s while it holds %s, taken at %s: wrong order",
					   self->name, where, lock->name, self->locks[i]->name,
					   place_of(self->locks[i]));
}

void pv_nmi_enter(void)
{
	self_here()->nmi++;
}

void pv_nmi_exit_at(const char *where)
{
	if (!self_here()->nmi--)
		schedule_violation(EXPLORE_LOCKS, "%s at %s leaves an NMI that it is not in", pv_self()->name,
				   where);
}

void pv_not_in_nmi(const char *what)
{
	if (pv_self()->nmi)
		schedule_violation(EXPLORE_LOCKS, "%s waits in NMI context: %s", pv_self()->name, what);
}

static void take(struct pv_thread *self, struct pv_lock *lock, const char *where)
{
	lock->state.v = 1;
	lock->owner = self;
	lock->where = where;
	self->locks[self->held++] = lock;
}

static void let_go(struct pv_thread *self, struct pv_lock *lock, const char *where)
{
	unsigned at = self->held;

	if (lock->owner != self)
		schedule_violation(EXPLORE_LOCKS, "%s at %s unlocks %s, which %s holds, taken at %s",
				   self->name, where, lock->name, name_of(lock->owner), place_of(lock));
	while (at && self->locks[at - 1] != lock)
		at--;
	for (; at && at < self->held; at++)
		self->locks[at - 1] = self->locks[at];
	self->held--;
	lock->owner = NULL;
}

static void lock_at(struct pv_lock *lock, const char *where)
{
	struct pv_thread *self = self_here();

	check_order(self, lock, where);
	if (schedule.controlled && lock->state.v)
		schedule.totals->contended++;
	schedule_point(POINT_LOCK, lock, where);
	if (lock->state.v) /* the checker alone comes here */
		schedule_violation(EXPLORE_LOCKS, "nobody can go on, and %s still holds %s, taken at %s",
				   name_of(lock->owner), lock->name, place_of(lock));
	take(self, lock, where);
	race_acquire(lock);
}

/* An exchange in sync_real.c. */
static void unlock_at(struct pv_lock *lock, const char *where)
{
	schedule_point(POINT_UNLOCK, lock, where);
	race_release(lock);
	let_go(self_here(), lock, where);
	lock->state.v = 0;
}

/* A store there. */
static void release_at(struct pv_lock *lock, const char *where)
{
	const uint32_t is_free = 0;

	schedule_point(POINT_RELEASE, lock, where);
	race_release(lock);
	let_go(self_here(), lock, where);
	if (schedule.tso)
		store_buffer_put(&lock->state.v, &is_free, sizeof(is_free), where);
	else
		lock->state.v = is_free;
}

void pv_mutex_init(struct pv_mutex *mutex, enum pv_rank rank, const char *name)
{
	mutex->lock = (struct pv_lock){ .rank = rank, .name = name };
}

void pv_mutex_destroy_at(struct pv_mutex *mutex, const char *where)
{
	const struct pv_lock *lock = &mutex->lock;

	if (lock->state.v)
		schedule_violation(EXPLORE_LOCKS, "%s at %s destroys %s, which %s holds, taken at %s",
				   pv_self()->name, where, lock->name, name_of(lock->owner), place_of(lock));
}

void pv_mutex_lock_at(struct pv_mutex *mutex, const char *where)
{
	lock_at(&mutex->lock, where);
}

bool pv_mutex_trylock_at(struct pv_mutex *mutex, const char *where)
{
	struct pv_lock *lock = &mutex->lock;
	struct pv_thread *self = self_here();

	if (!self->nmi && lock->owner == self)
		schedule_violation(EXPLORE_LOCKS, "%s at %s locks %s again, which it took at %s", self->name,
				   where, lock->name, place_of(lock));
	schedule_point(POINT_TRYLOCK, lock, where);
	if (lock->state.v) {
		schedule.totals->trylock_failures++;
		return false;
	}
	take(self, lock, where);
	race_acquire(lock);
	return true;
}

void pv_mutex_unlock_at(struct pv_mutex *mutex, const char *where)
{
	unlock_at(&mutex->lock, where);
}

void pv_spinlock_init(struct pv_spinlock *spin, const char *name)
{
	spin->lock = (struct pv_lock){ .rank = PV_RANK_LEAF, .name = name };
}

void pv_spin_lock_at(struct pv_spinlock *spin, const char *where)
{
	lock_at(&spin->lock, where);
}

void pv_spin_unlock_at(struct pv_spinlock *spin, const char *where)
{
	release_at(&spin->lock, where);
}

/* Who has it next is the strategy's to say. */
void pv_spin_give_way(struct pv_spinlock *spin)
{
	(void)spin;
}

void pv_hold_nothing_at(const char *where)
{
	const struct pv_thread *self = self_here();

	if (self->held)
		schedule_violation(EXPLORE_LOCKS, "%s at %s still holds %s, taken at %s", self->name, where,
				   self->locks[0]->name, place_of(self->locks[0]));
}

uint32_t pv_ticket_at(struct pv_event_count *count, const char *where)
{
	schedule_point(POINT_LOAD, count, where);
	race_acquire(count);
	return count->sequence.v;
}

/* In a real build a wait may return early. Here it never does, so that a wake-up that is lost shows. */
void pv_wait_at(struct pv_event_count *count, uint32_t ticket, const char *where)
{
	schedule_wait(count, ticket, where);
	race_acquire(count);
}

/* Time is not simulated: the deadline may always have come. */
void pv_wait_until(struct pv_event_count *count, uint32_t ticket, uint64_t deadline)
{
	(void)ticket;
	(void)deadline;
	schedule_point(POINT_LOAD, count, "pv_wait_until");
}

void pv_wake_at(struct pv_event_count *count, const char *where)
{
	schedule_point(POINT_WAKE, count, where);
	race_acquire(count);
	race_release(count);
	count->sequence.v++;
}
