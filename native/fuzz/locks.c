/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Locks and waits, in front of sync_real.c's (the linker's --wrap). Taking and releasing are points. One
 * native thread plays all, so a lock that somebody else holds would never be released.
 */
#include "fuzz/machine.h"
#include "fuzz/point.h"

void __real_pv_mutex_lock_at(struct pv_mutex *mutex, const char *where);
void __wrap_pv_mutex_lock_at(struct pv_mutex *mutex, const char *where);
bool __real_pv_mutex_trylock_at(struct pv_mutex *mutex, const char *where);
bool __wrap_pv_mutex_trylock_at(struct pv_mutex *mutex, const char *where);
void __real_pv_mutex_unlock_at(struct pv_mutex *mutex, const char *where);
void __wrap_pv_mutex_unlock_at(struct pv_mutex *mutex, const char *where);
void __real_pv_spin_lock_at(struct pv_spinlock *spin, const char *where);
void __wrap_pv_spin_lock_at(struct pv_spinlock *spin, const char *where);
void __real_pv_spin_unlock_at(struct pv_spinlock *spin, const char *where);
void __wrap_pv_spin_unlock_at(struct pv_spinlock *spin, const char *where);
void __wrap_pv_wait_at(struct pv_event_count *count, uint32_t ticket, const char *where);

/* Its own lock is for the core itself to find out. */
static void check_free(const struct pv_lock *lock, const char *where)
{
	if (lock->state.v && lock->owner && lock->owner != pv_self())
		fuzz_violation("%s at %s waits for %s, which %s holds and cannot release", pv_self()->name, where, lock->name,
			       lock->owner->name);
}

void __wrap_pv_mutex_lock_at(struct pv_mutex *mutex, const char *where)
{
	fuzz_point(where);
	check_free(&mutex->lock, where);
	__real_pv_mutex_lock_at(mutex, where);
	machine.locks++;
}

bool __wrap_pv_mutex_trylock_at(struct pv_mutex *mutex, const char *where)
{
	bool taken = __real_pv_mutex_trylock_at(mutex, where);

	machine.locks += taken;
	return taken;
}

void __wrap_pv_mutex_unlock_at(struct pv_mutex *mutex, const char *where)
{
	__real_pv_mutex_unlock_at(mutex, where);
	machine.locks--;
	fuzz_point(where);
}

void __wrap_pv_spin_lock_at(struct pv_spinlock *spin, const char *where)
{
	fuzz_point(where);
	check_free(&spin->lock, where);
	__real_pv_spin_lock_at(spin, where);
	machine.locks++;
	machine.leaves++;
}

void __wrap_pv_spin_unlock_at(struct pv_spinlock *spin, const char *where)
{
	__real_pv_spin_unlock_at(spin, where);
	machine.locks--;
	machine.leaves--;
	fuzz_point(where);
}

void __wrap_pv_wait_at(struct pv_event_count *count, uint32_t ticket, const char *where)
{
	(void)ticket;
	(void)where;
	machine_wait(count);
}
