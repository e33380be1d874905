/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/platform/clock.h"

#include <sched.h>

#include "abi/handover.h"

#define NEVER UINT64_MAX

enum { SPINS = 64 };

static void lock(struct pv_platform *platform, uint32_t self)
{
	uint32_t *word = &platform->clock.lock, free = 0;

	for (unsigned i = 1; !__atomic_compare_exchange_n(word, &free, self + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
	     i++, free = 0) {
		if (i % SPINS)
			__builtin_ia32_pause();
		else
			sched_yield();
	}
}

static void unlock(struct pv_platform *platform)
{
	__atomic_store_n(&platform->clock.lock, 0, __ATOMIC_RELEASE);
}

void clock_reset(struct pv_platform *platform, uint32_t vcpus)
{
	platform->clock = (struct pv_guest_clock){ .next = NEVER, .awake = 1 };
	for (uint32_t i = 0; i < vcpus; i++) {
		platform->ipi[i].awake = i == 0;
		platform->ipi[i].deadline = NEVER;
	}
}

uint64_t clock_now(struct pv_platform *platform, uint64_t local)
{
	uint64_t now = __atomic_load_n(&platform->clock.now, __ATOMIC_ACQUIRE);

	while (now < local)
		if (__atomic_compare_exchange_n(&platform->clock.now, &now, local, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE))
			return local;
	return now;
}

/* Lock held. */
static void wake(struct pv_platform *platform, uint32_t vcpu)
{
	struct pv_ipi *ipi = &platform->ipi[vcpu];

	if (!ipi->awake) {
		ipi->deadline = NEVER;
		platform->clock.awake++;
		__atomic_store_n(&ipi->awake, 1, __ATOMIC_RELEASE);
	}
	handover_nudge(&ipi->bell);
}

/* Lock held. What is due first of those asleep. */
static uint64_t earliest(const struct pv_platform *platform, uint32_t vcpus)
{
	uint64_t ret = NEVER;

	for (uint32_t i = 0; i < vcpus; i++)
		if (!platform->ipi[i].awake && platform->ipi[i].deadline < ret)
			ret = platform->ipi[i].deadline;
	return ret;
}

/* Lock held. */
static void wake_due(struct pv_platform *platform, uint32_t vcpus, uint64_t now)
{
	for (uint32_t i = 0; i < vcpus; i++)
		if (!platform->ipi[i].awake && platform->ipi[i].deadline <= now)
			wake(platform, i);
	__atomic_store_n(&platform->clock.next, earliest(platform, vcpus), __ATOMIC_RELEASE);
}

uint64_t clock_tick(struct pv_platform *platform, uint32_t vcpus, uint32_t self, uint64_t local)
{
	uint64_t now = clock_now(platform, local);

	if (now < __atomic_load_n(&platform->clock.next, __ATOMIC_ACQUIRE))
		return now;
	lock(platform, self);
	wake_due(platform, vcpus, now);
	unlock(platform);
	return now;
}

/* Lock held. */
static void sleep(struct pv_platform *platform, uint32_t vcpus, uint32_t self, uint64_t deadline, bool paced)
{
	struct pv_ipi *ipi = &platform->ipi[self];
	uint64_t next;

	ipi->deadline = deadline;
	__atomic_store_n(&ipi->awake, 0, __ATOMIC_RELEASE);
	platform->clock.awake--;
	next = earliest(platform, vcpus);
	__atomic_store_n(&platform->clock.next, next, __ATOMIC_RELEASE);
	if (!platform->clock.awake && next != NEVER && !paced)
		wake_due(platform, vcpus, clock_now(platform, next));
}

void clock_fall_asleep(struct pv_platform *platform, uint32_t vcpus, uint32_t self, uint64_t deadline, bool paced)
{
	lock(platform, self);
	if (!handover_doorbell(&platform->ipi[self].bell)) /* something was left for it meanwhile */
		sleep(platform, vcpus, self, deadline, paced);
	unlock(platform);
}

void clock_stop(struct pv_platform *platform, uint32_t vcpus, uint32_t self)
{
	lock(platform, self);
	if (platform->ipi[self].awake)
		sleep(platform, vcpus, self, NEVER, false);
	unlock(platform);
}

uint64_t clock_idle(const struct pv_platform *platform)
{
	uint64_t next = __atomic_load_n(&platform->clock.next, __ATOMIC_ACQUIRE);
	uint64_t now = __atomic_load_n(&platform->clock.now, __ATOMIC_ACQUIRE);

	if (__atomic_load_n(&platform->clock.awake, __ATOMIC_ACQUIRE))
		return 0;
	return next == NEVER ? NEVER : next > now ? next - now : 1;
}

void clock_pass(struct pv_platform *platform, uint32_t vcpus, uint32_t self, uint64_t now)
{
	lock(platform, self);
	if (!platform->clock.awake)
		wake_due(platform, vcpus, clock_now(platform, now));
	unlock(platform);
}

bool clock_is_asleep(const struct pv_platform *platform, uint32_t self)
{
	return !__atomic_load_n(&platform->ipi[self].awake, __ATOMIC_ACQUIRE);
}

void clock_wake_up(struct pv_platform *platform, uint32_t self)
{
	lock(platform, self);
	if (!platform->ipi[self].awake) {
		platform->ipi[self].awake = 1;
		platform->ipi[self].deadline = NEVER;
		platform->clock.awake++;
	}
	unlock(platform);
}

void clock_wake(struct pv_platform *platform, uint32_t self, uint32_t target)
{
	lock(platform, self);
	wake(platform, target);
	unlock(platform);
}
