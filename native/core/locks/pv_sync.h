/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one synchronisation header: everything that host threads share goes through
 * it, so that the same core can be built on other schedulers. A build chooses its
 * backend with PV_SYNC_BACKEND, the header of the backend's inline part; the rest is
 * the backend's .c file. The default is real threads: C11 atomics and futexes.
 *
 * Locks know their owner and their rank. Misuse is a host panic that names both
 * sides: locking twice, unlocking what another holds, destroying a held lock, and
 * taking a lock whose rank is not above every rank that the thread holds.
 */
#ifndef PV_SYNC_H
#define PV_SYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "core/locks/panic.h"

#ifndef PV_SYNC_BACKEND
#define PV_SYNC_BACKEND "sync_real.h"
#endif
#include PV_SYNC_BACKEND
/*
 * From the backend's header:
 *   pv_u32, pv_u64                       atomic words
 *   pv_u32_load, _store                  acquire, release
 *   pv_u32_exchange, _add, _sub          sequentially consistent; _add and _sub return the new value
 *   pv_u32_replace(word, old, new)       compare and exchange; false: the word was not `old`
 *   pv_u64_load, _store, _exchange, _add, _sub  the same
 *   pv_u64_set_once(word, value)         sets a word that is 0; later ones change nothing
 *   pv_u64_count(word, n)                adds n to a figure that one thread writes and any reads
 *   pv_ptr                               an atomic pointer
 *   pv_ptr_load, _store, _exchange, _replace  as above
 *   pv_point(tag)                        a place where a scheduler may switch; nothing in the real build
 */

/* A defect planted for the explorer to find, by its name in native/explore/fibers/canary.h. */
#ifndef PV_CANARY
#define PV_CANARY(name) 0
#endif

/* Lock order: a thread takes locks in rising rank; a trylock, which does not wait, is free of it. */
enum pv_rank {
	PV_RANK_EVENT = 1, /* one host event's lock */
	PV_RANK_VCPU,      /* one vCPU's event_mutex */
	PV_RANK_LEAF,      /* table, end, halt, console...: nothing is taken under it */
	PV_LOCK_DEPTH = 4, /* no thread holds more */
};

enum { PV_LOCK_MAGIC = 0x4b434f4c };

struct pv_lock {
	pv_u32 state;
	uint32_t magic; /* PV_LOCK_MAGIC, as long as it is a lock */
	uint32_t rank;
	const char *name;
	struct pv_thread *owner; /* read by others in a panic only */
	const char *where;       /* the place that took it */
};

/* A mutex sleeps, a spinlock does not; otherwise they are the same. */
struct pv_mutex {
	struct pv_lock lock;
};
struct pv_spinlock {
	struct pv_lock lock;
	pv_u32 waiters; /* who have not found it free at once */
};

#ifdef __FILE_NAME__
#define PV_FILE __FILE_NAME__
#else
#define PV_FILE __FILE__
#endif
#define PV_TEXT_OF(x) #x
#define PV_TEXT(x) PV_TEXT_OF(x)
#define PV_HERE PV_FILE ":" PV_TEXT(__LINE__)

void pv_mutex_init(struct pv_mutex *mutex, enum pv_rank rank, const char *name);
void pv_mutex_destroy_at(struct pv_mutex *mutex, const char *where);
void pv_mutex_lock_at(struct pv_mutex *mutex, const char *where);
bool pv_mutex_trylock_at(struct pv_mutex *mutex, const char *where);
void pv_mutex_unlock_at(struct pv_mutex *mutex, const char *where);
#define pv_mutex_destroy(mutex) pv_mutex_destroy_at(mutex, PV_HERE)
#define pv_mutex_lock(mutex) pv_mutex_lock_at(mutex, PV_HERE)
#define pv_mutex_trylock(mutex) pv_mutex_trylock_at(mutex, PV_HERE)
#define pv_mutex_unlock(mutex) pv_mutex_unlock_at(mutex, PV_HERE)

void pv_spinlock_init(struct pv_spinlock *spin, const char *name);
void pv_spin_lock_at(struct pv_spinlock *spin, const char *where);
void pv_spin_unlock_at(struct pv_spinlock *spin, const char *where);
#define pv_spin_lock(spin) pv_spin_lock_at(spin, PV_HERE)
#define pv_spin_unlock(spin) pv_spin_unlock_at(spin, PV_HERE)

/* For who has just unlocked it and takes it again at once: whoever waits for it has it first. */
void pv_spin_give_way(struct pv_spinlock *spin);

/* For canaries: what others may do while the lock is not held, they do here. */
#define pv_spin_let_go(spin) (pv_spin_unlock(spin), pv_spin_lock(spin))

/*
 * NMI context: what interrupts a host thread wherever it is. Nothing there may wait or
 * allocate: locking is a host panic, trylock is not, whoever holds the lock. That may be the
 * interrupted thread itself, in which case the trylock fails; outside of NMI context it is misuse.
 */
void pv_nmi_enter(void);
void pv_nmi_exit_at(const char *where);
#define pv_nmi_exit() pv_nmi_exit_at(PV_HERE)
/* Host panic in NMI context; `what` must not be done there. */
void pv_not_in_nmi(const char *what);

/* Host panic if the calling thread holds any lock. */
void pv_hold_nothing_at(const char *where);
#define pv_hold_nothing() pv_hold_nothing_at(PV_HERE)

/*
 * An event count. To wait for a condition: take a ticket, look at the condition,
 * wait with the ticket, repeat. To signal: change the condition, then wake. A wait
 * may return early, so the condition is always looked at again.
 */
struct pv_event_count {
	pv_u32 sequence;
	pv_u32 waiters;
};

uint32_t pv_ticket_at(struct pv_event_count *count, const char *where);
void pv_wait_at(struct pv_event_count *count, uint32_t ticket, const char *where);
/* The same, but not past `deadline`, in ns of CLOCK_MONOTONIC. */
void pv_wait_until(struct pv_event_count *count, uint32_t ticket, uint64_t deadline);
void pv_wake_at(struct pv_event_count *count, const char *where);
#define pv_ticket(count) pv_ticket_at(count, PV_HERE)
#define pv_wait(count, ticket) pv_wait_at(count, ticket, PV_HERE)
#define pv_wake(count) pv_wake_at(count, PV_HERE)

#endif
