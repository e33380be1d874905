/* SPDX-License-Identifier: GPL-2.0-only */
/* Locks: exclusion, policing, and what a host panic does to those who wait. */
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "../core_test.h"
#include "abi/handover.h"

enum { THREADS = 4, ROUNDS = 20000 };

static struct pv_mutex mutex, other;
static struct pv_spinlock spin;
static uint64_t under_mutex, under_spin;
static char panic_text[512];
static uint32_t panicked;

static void note_panic(void *context, const char *text)
{
	(void)context;
	strncpy(panic_text, text, sizeof(panic_text) - 1);
	__atomic_store_n(&panicked, 1, __ATOMIC_RELEASE);
}

static void adopt(struct pv_thread *thread, const char *name)
{
	*thread = (struct pv_thread){ .panic = note_panic, .panicked = &panicked };
	strncpy(thread->name, name, sizeof(thread->name) - 1);
	pv_thread_adopt(thread);
}

static void *add_many(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		if (i % 2 || !pv_mutex_trylock(&mutex))
			pv_mutex_lock(&mutex);
		under_mutex++;
		pv_spin_lock(&spin);
		under_spin++;
		pv_spin_unlock(&spin);
		pv_mutex_unlock(&mutex);
		pv_spin_lock(&spin);
		under_spin++;
		pv_spin_unlock(&spin);
	}
	return arg;
}

static void exclusion(void)
{
	pthread_t threads[THREADS];

	pv_mutex_init(&mutex, PV_RANK_EVENT, "the mutex");
	pv_spinlock_init(&spin, "the spinlock");
	under_mutex = under_spin = 0;
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, add_many, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(under_mutex, THREADS * ROUNDS);
	CHECK_EQ(under_spin, 2 * THREADS * ROUNDS);
	pv_mutex_destroy(&mutex);
}

static void lock_twice(void *arg)
{
	(void)arg;
	pv_mutex_lock(&mutex);
	pv_mutex_lock(&mutex);
}

static void try_twice(void *arg)
{
	(void)arg;
	pv_mutex_lock(&mutex);
	pv_mutex_trylock(&mutex);
}

static void unlock_free(void *arg)
{
	(void)arg;
	pv_mutex_unlock(&mutex);
}

static void destroy_held(void *arg)
{
	(void)arg;
	pv_mutex_lock(&mutex);
	pv_mutex_destroy(&mutex);
}

static void wrong_order(void *arg)
{
	(void)arg;
	pv_spin_lock(&spin);
	pv_mutex_lock(&mutex);
}

static void same_rank(void *arg)
{
	(void)arg;
	pv_mutex_lock(&mutex);
	pv_mutex_lock(&other);
}

static void spin_twice(void *arg)
{
	(void)arg;
	pv_spin_lock(&spin);
	pv_spin_lock(&spin);
}

static void wait_for_what_was_freed(void *arg)
{
	(void)arg;
	memset(&mutex, 0x6b, sizeof(mutex));
	pv_mutex_lock(&mutex);
}

static void enter_with_lock(void *arg)
{
	(void)arg;
	pv_mutex_lock(&mutex);
	pv_hold_nothing();
}

static void expect_panic(void (*fn)(void *arg), const char *words)
{
	pv_mutex_init(&mutex, PV_RANK_EVENT, "the mutex");
	pv_mutex_init(&other, PV_RANK_EVENT, "the other");
	pv_spinlock_init(&spin, "the spinlock");
	panicked = 0;
	CHECK(!pv_guarded(fn, NULL));
	CHECK(!strncmp(panic_text, "tester ", 7));
	CHECK(strstr(panic_text, " at core_sync.c:"));
	CHECK(strstr(panic_text, words));
}

static void misuse(void)
{
	struct pv_thread self;

	adopt(&self, "tester");
	expect_panic(lock_twice, "locks the mutex again, which it took at core_sync.c:");
	expect_panic(try_twice, "locks the mutex again");
	expect_panic(unlock_free, "unlocks the mutex, which nobody holds");
	expect_panic(destroy_held, "destroys the mutex, which tester holds, taken at core_sync.c:");
	expect_panic(wrong_order, "takes the mutex while it holds the spinlock, taken at core_sync.c:");
	expect_panic(same_rank, "takes the other while it holds the mutex");
	expect_panic(spin_twice, "locks the spinlock again");
	expect_panic(wait_for_what_was_freed, "waits for a lock in memory that was freed");
	expect_panic(enter_with_lock, "still holds the mutex, taken at core_sync.c:");
	pv_thread_adopt(NULL);
}

static uint32_t holding, waiting;

static void hold_then_panic(void *arg)
{
	(void)arg;
	pv_mutex_lock(&mutex);
	__atomic_store_n(&holding, 1, __ATOMIC_SEQ_CST);
	while (!word_load(&waiting))
		;
	pv_panic("%s gives up", pv_self()->name);
}

static void wait_for_lock(void *arg)
{
	(void)arg;
	while (!word_load(&holding))
		;
	word_add(&waiting, 1);
	pv_mutex_lock(&mutex);
}

static void *holder(void *arg)
{
	struct pv_thread self;

	adopt(&self, "holder");
	CHECK(!pv_guarded(hold_then_panic, NULL));
	return arg;
}

static void *waiter(void *arg)
{
	struct pv_thread self;

	adopt(&self, "waiter");
	CHECK(!pv_guarded(wait_for_lock, NULL));
	return arg;
}

/* A lock whose owner has panicked is never released: who waits for it unwinds. */
static void panic_frees_waiters(void)
{
	pthread_t threads[2];

	panicked = holding = waiting = 0;
	pv_mutex_init(&mutex, PV_RANK_EVENT, "the mutex");
	pthread_create(&threads[0], NULL, holder, NULL);
	pthread_create(&threads[1], NULL, waiter, NULL);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	CHECK(!strcmp(panic_text, "holder gives up"));
}

static struct pv_event_count ball;
static uint32_t side;

static void *play(void *arg)
{
	uint32_t me = (uint32_t)(uintptr_t)arg;

	for (int i = 0; i < ROUNDS / 4; i++) {
		for (;;) {
			uint32_t ticket = pv_ticket(&ball);

			if (word_load(&side) == me)
				break;
			pv_wait(&ball, ticket);
		}
		__atomic_store_n(&side, !me, __ATOMIC_SEQ_CST);
		pv_wake(&ball);
	}
	return NULL;
}

static void event_count(void)
{
	pthread_t threads[2];

	side = 0;
	for (uintptr_t i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, play, (void *)i);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(side, 0);
	CHECK_EQ(ball.waiters.v, 0);
}

static void *spin_once(void *arg)
{
	struct pv_thread self;

	adopt(&self, "the waiter");
	pv_spin_lock(&spin);
	__atomic_store_n(&under_spin, 1, __ATOMIC_RELEASE);
	pv_spin_unlock(&spin);
	pv_thread_adopt(NULL);
	return arg;
}

/* Whoever waits when it is unlocked has it next, though the one who unlocks it wants it again at once. */
static void spinlock_gives_way(void)
{
	pthread_t thread;

	pv_spinlock_init(&spin, "the spinlock");
	for (int i = 0; i < 200; i++) {
		under_spin = 0;
		pv_spin_lock(&spin);
		pthread_create(&thread, NULL, spin_once, NULL);
		while (!pv_u32_load(&spin.waiters))
			sched_yield();
		pv_spin_unlock(&spin);
		pv_spin_give_way(&spin);
		pv_spin_lock(&spin);
		CHECK_EQ(__atomic_load_n(&under_spin, __ATOMIC_ACQUIRE), 1);
		pv_spin_unlock(&spin);
		pthread_join(thread, NULL);
	}
	CHECK_EQ(spin.waiters.v, 0);
}

/* Longer while that would have ended the wait, shorter when not; never out of its range. */
static void polling_adapts(void)
{
	const uint32_t most = 500000;
	uint32_t poll = 0, last;

	do {
		last = poll;
		poll = handover_poll_next(poll, most, most);
		CHECK(poll <= most);
	} while (poll > last);
	CHECK_EQ(poll, most);
	do {
		last = poll;
		poll = handover_poll_next(poll, most + 1, most);
	} while (poll < last);
	CHECK(poll > 0 && poll < most / 10);
	CHECK_EQ(handover_poll_next(0, 0, 1), 1);
	CHECK_EQ(handover_poll_next(UINT32_MAX, 0, UINT32_MAX), UINT32_MAX);
}

const struct named_test sync_tests[] = {
	{ "exclusion", exclusion, false },
	{ "misuse", misuse, false },
	{ "panic_frees_waiters", panic_frees_waiters, false },
	{ "event_count", event_count, false },
	{ "spinlock_gives_way", spinlock_gives_way, false },
	{ "polling_adapts", polling_adapts, false },
	{ NULL, NULL, false },
};
