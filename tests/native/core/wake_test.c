/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Wake-ups: built with a recheck of hours, so that one that is lost is a hang. Whoever is to be woken is asleep first, as
 * far as /proc says.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi/handover.h"
#include "core/locks/pv_sync.h"

enum { SLEEPERS = 4, ROUNDS = 500 };

static int failed;

static void check(bool ok, const char *what)
{
	if (!ok) {
		failed = 1;
		fprintf(stderr, "%s\n", what);
	}
}

/* A thread of this process, by its number. */
static bool sleeps(int tid)
{
	char path[64], text[256] = "";
	const char *state;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "r");
	if (!file)
		return false;
	check(fgets(text, sizeof(text), file) != NULL, "no state of a thread");
	fclose(file);
	state = strrchr(text, ')');
	return state && state[2] == 'S';
}

struct sleeper {
	pthread_t thread;
	int tid; /* 0: not yet there */
	int result;
};

static struct pv_run *run;
static struct pv_vm_page *page;
static struct pv_mutex mutex;
static struct pv_event_count count;

static void started(struct sleeper *sleeper)
{
	__atomic_store_n(&sleeper->tid, (int)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
}

static void start(struct sleeper *sleeper, void *(*sleep)(void *arg))
{
	*sleeper = (struct sleeper){ 0 };
	if (pthread_create(&sleeper->thread, NULL, sleep, sleeper))
		abort();
}

/* It has said that it sleeps in `word`, if there is one, and does. */
static void wait_asleep(const struct sleeper *sleeper, const uint32_t *word)
{
	int tid;

	while (!(tid = __atomic_load_n(&sleeper->tid, __ATOMIC_SEQ_CST)) ||
	       (word && !__atomic_load_n(word, __ATOMIC_SEQ_CST)) || !sleeps(tid))
		usleep(50);
}

static void join(struct sleeper *sleeper, int expected, const char *what)
{
	pthread_join(sleeper->thread, NULL);
	check(sleeper->result == expected, what);
}

static void *host(void *arg)
{
	struct sleeper *self = arg;

	started(self);
	self->result = handover_wait_exit(run, page, run->entry_count);
	return NULL;
}

static void *vcpu(void *arg)
{
	struct sleeper *self = arg;

	started(self);
	self->result = handover_exit(run, page);
	return NULL;
}

static void new_vm(void)
{
	free(run);
	free(page);
	run = calloc(1, PV_RUN_PAGE_SIZE);
	page = calloc(1, PV_RUN_PAGE_SIZE); /* nobody polls */
	if (!run || !page)
		abort();
}

/* An exit wakes the host, an entry the vCPU. */
static void hand_over(void)
{
	struct sleeper h, v;

	new_vm();
	for (unsigned i = 0; i < ROUNDS; i++) {
		start(&h, host);
		wait_asleep(&h, &run->host_waits.sleeps);
		start(&v, vcpu);
		join(&h, PV_HANDED, "the host was not handed the CPU");
		wait_asleep(&v, &run->vcpu_waits.sleeps);
		handover_enter(run);
		join(&v, PV_HANDED, "the vCPU was not handed the CPU");
	}
}

/* The end wakes both. */
static void end_of_vm(void)
{
	struct sleeper h, v;

	new_vm();
	start(&h, host);
	wait_asleep(&h, &run->host_waits.sleeps);
	handover_end(page, &run, 1);
	join(&h, PV_HANDOVER_ENDED, "the host was not told of the end");
	new_vm();
	start(&v, vcpu);
	wait_asleep(&v, &run->vcpu_waits.sleeps);
	handover_end(page, &run, 1);
	join(&v, PV_HANDOVER_ENDED, "the vCPU was not told of the end");
}

static void *lock(void *arg)
{
	struct sleeper *self = arg;

	started(self);
	pv_mutex_lock(&mutex);
	self->result = 1;
	pv_mutex_unlock(&mutex);
	return NULL;
}

/* Who lets a mutex go wakes one, and that one the next. */
static void mutexes(void)
{
	struct sleeper all[SLEEPERS];

	pv_mutex_init(&mutex, PV_RANK_EVENT, "the mutex");
	for (unsigned i = 0; i < ROUNDS; i++) {
		pv_mutex_lock(&mutex);
		for (unsigned k = 0; k < SLEEPERS; k++)
			start(&all[k], lock);
		for (unsigned k = 0; k < SLEEPERS; k++)
			wait_asleep(&all[k], NULL);
		pv_mutex_unlock(&mutex);
		for (unsigned k = 0; k < SLEEPERS; k++)
			join(&all[k], 1, "the mutex was not taken");
	}
}

static void *wait_for_count(void *arg)
{
	struct sleeper *self = arg;
	uint32_t ticket = pv_ticket(&count);

	started(self);
	pv_wait(&count, ticket);
	self->result = 1;
	return NULL;
}

/* All who wait for an event count are woken, those with a deadline too. */
static void event_counts(void)
{
	struct sleeper all[SLEEPERS];

	for (unsigned i = 0; i < ROUNDS; i++) {
		for (unsigned k = 0; k < SLEEPERS; k++)
			start(&all[k], wait_for_count);
		for (unsigned k = 0; k < SLEEPERS; k++)
			wait_asleep(&all[k], NULL);
		pv_wake(&count);
		for (unsigned k = 0; k < SLEEPERS; k++)
			join(&all[k], 1, "somebody was not woken");
	}
}

int main(void)
{
	hand_over();
	end_of_vm();
	mutexes();
	event_counts();
	printf("SUMMARY: 4 tests, %d failures\n", failed);
	return failed;
}
