/* SPDX-License-Identifier: GPL-2.0-only */
#include "handover.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "recheck.h"

enum {
	SHORTEST_POLL_NS = 20 * 1000, /* longer than a hand-over between two cores that are awake */
	TAKEN_NS = 5 * 1000,          /* a call of sched_yield() is shorter if nobody else wants the core */
};

static void futex_wait(uint32_t *word, uint32_t value)
{
	syscall(SYS_futex, word, FUTEX_WAIT, value, &recheck, NULL, 0);
}

static void futex_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int is_over(const struct pv_vm_page *vm)
{
	return __atomic_load_n(&vm->ended, __ATOMIC_ACQUIRE) != 0;
}

uint32_t handover_poll_next(uint32_t poll_ns, uint64_t waited_ns, uint32_t most)
{
	uint64_t next = waited_ns <= most ? 2 * (uint64_t)poll_ns : poll_ns / 2;

	if (next < SHORTEST_POLL_NS)
		next = SHORTEST_POLL_NS;
	return next < most ? (uint32_t)next : most;
}

static int spin_change(const uint32_t *word, uint32_t old)
{
	for (int i = 0; i < 64; i++) {
		if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != old)
			return 1;
		__builtin_ia32_pause();
	}
	return 0;
}

/*
 * Polls until `until`; keeps the core to itself for the shortest time only, then offers it to
 * others before each look. If someone takes the offer, the other side may be who waits for the
 * core: that is the end of polling. Returns 1 once the word has changed.
 */
static int poll_change(const uint32_t *word, uint32_t old, uint64_t start, uint64_t until)
{
	uint64_t now, offered;

	do {
		if (spin_change(word, old))
			return 1;
		now = now_ns();
		if (now < start + SHORTEST_POLL_NS)
			continue;
		sched_yield();
		offered = now;
		now = now_ns();
		if (now - offered > TAKEN_NS)
			break;
	} while (now < until);
	return 0;
}

/*
 * `sleeps` tells the other side that a wake is due: it is set before the last look
 * at the word and cleared after, and the other side changes the word before it
 * looks at `sleeps` (both seq_cst), so one of the two always sees the other.
 */
static int sleep_until_change(uint32_t *word, uint32_t old, uint32_t *sleeps, const struct pv_vm_page *vm)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == old) {
		if (is_over(vm))
			return PV_HANDOVER_ENDED;
		__atomic_store_n(sleeps, 1, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(word, __ATOMIC_SEQ_CST) == old)
			futex_wait(word, old);
		__atomic_store_n(sleeps, 0, __ATOMIC_SEQ_CST);
	}
	return PV_HANDED;
}

/* Waits until *word differs from `old`. */
static int wait_change(uint32_t *word, uint32_t old, struct pv_waiter *self, const struct pv_run *run,
		       const struct pv_vm_page *vm)
{
	uint64_t start;
	int ret;

	if (!vm->poll_ns || __atomic_load_n(&run->together, __ATOMIC_RELAXED))
		return sleep_until_change(word, old, &self->sleeps, vm);
	start = now_ns();
	if (poll_change(word, old, start, start + (self->poll_ns < vm->poll_ns ? self->poll_ns : vm->poll_ns)))
		return PV_HANDED;
	ret = sleep_until_change(word, old, &self->sleeps, vm);
	self->poll_ns = handover_poll_next(self->poll_ns, now_ns() - start, vm->poll_ns);
	return ret;
}

int handover_exit(struct pv_run *run, const struct pv_vm_page *vm)
{
	uint32_t entered = __atomic_load_n(&run->entry_count, __ATOMIC_RELAXED);

	__atomic_store_n(&run->exit_count, entered + 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&run->host_waits.sleeps, __ATOMIC_SEQ_CST))
		futex_wake(&run->exit_count);
	return wait_change(&run->entry_count, entered, &run->vcpu_waits, run, vm);
}

int handover_wait_exit(struct pv_run *run, const struct pv_vm_page *vm, uint32_t seen)
{
	return wait_change(&run->exit_count, seen, &run->host_waits, run, vm);
}

void handover_enter(struct pv_run *run)
{
	uint32_t exits = __atomic_load_n(&run->exit_count, __ATOMIC_RELAXED);

	__atomic_store_n(&run->entry_count, exits, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&run->vcpu_waits.sleeps, __ATOMIC_SEQ_CST))
		futex_wake(&run->entry_count);
}

static void ring(struct pv_bell *bell, uint32_t who)
{
	__atomic_fetch_or(&bell->rung, who, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&bell->listens, __ATOMIC_SEQ_CST))
		futex_wake(&bell->rung);
}

void handover_ring(struct pv_bell *bell)
{
	ring(bell, PV_BELL_HOST);
}

void handover_nudge(struct pv_bell *bell)
{
	ring(bell, PV_BELL_VCPU);
}

void handover_wait_doorbell(struct pv_bell *bell, const struct pv_vm_page *vm)
{
	sleep_until_change(&bell->rung, 0, &bell->listens, vm);
}

uint64_t handover_wait_doorbell_for(struct pv_bell *bell, const struct pv_vm_page *vm, uint64_t ns)
{
	uint64_t start = now_ns(), waited = 0;

	__atomic_store_n(&bell->listens, 1, __ATOMIC_SEQ_CST);
	while (waited < ns && !__atomic_load_n(&bell->rung, __ATOMIC_SEQ_CST) && !is_over(vm)) {
		uint64_t left = ns - waited < PV_RECHECK_NS ? ns - waited : PV_RECHECK_NS;
		struct timespec most = { .tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000) };

		syscall(SYS_futex, &bell->rung, FUTEX_WAIT, 0, &most, NULL, 0);
		waited = now_ns() - start;
	}
	__atomic_store_n(&bell->listens, 0, __ATOMIC_SEQ_CST);
	return waited < ns ? waited : ns;
}

int handover_doorbell(const struct pv_bell *bell)
{
	return __atomic_load_n(&bell->rung, __ATOMIC_RELAXED) != 0;
}

uint32_t handover_take_doorbell(struct pv_bell *bell)
{
	return __atomic_exchange_n(&bell->rung, 0, __ATOMIC_SEQ_CST);
}

void handover_end(struct pv_vm_page *vm, struct pv_run *const *runs, unsigned n)
{
	__atomic_store_n(&vm->ended, 1, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < n; i++) {
		futex_wake(&runs[i]->exit_count);
		futex_wake(&runs[i]->entry_count);
		futex_wake(&runs[i]->bell.rung);
	}
}
