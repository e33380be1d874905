/* SPDX-License-Identifier: GPL-2.0-only */
#include "stress/players.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <ucontext.h>

#include "stress/noise.h"
#include "explore/fibers/schedule.h"
#include "stress/violation.h"
#include "explore/play/world.h"

enum { PLAYERS = EXPLORE_VCPUS + 1, SIGNAL_STACK = 16 * 1024 };

struct player {
	pthread_t thread;
	unsigned index;
	bool playing; /* has operations left; its own, but for a description */
	unsigned at;
	struct pv_thread self;
	uint8_t signal_stack[SIGNAL_STACK];
};

static struct player players[PLAYERS];
static struct {
	pthread_mutex_t lock;
	pthread_cond_t begun, rested;
	/* lock held: */
	uint64_t round;
	uint32_t resting;
	bool over;
	/* atomic: */
	uint32_t at_line; /* who have come to the start of the round */
	uint32_t busy;    /* who have operations left */
	/* fixed while a round is played: */
	uint32_t n;
	uint64_t seed;
	uint32_t passes;
} stage = { .lock = PTHREAD_MUTEX_INITIALIZER, .begun = PTHREAD_COND_INITIALIZER };

/* They begin together, however late each of them woke. */
static void line_up(void)
{
	__atomic_add_fetch(&stage.at_line, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&stage.at_line, __ATOMIC_ACQUIRE) < stage.n)
		sched_yield();
}

static void leave_work(struct player *player)
{
	if (player->playing)
		__atomic_sub_fetch(&stage.busy, 1, __ATOMIC_SEQ_CST);
	player->playing = false;
}

/* False: the vCPU does not go on. */
static bool do_once(struct player *player)
{
	unsigned me = player->index, n = world.program.length[me];

	for (player->at = 0; player->at < n; player->at++) {
		noise_point();
		if (me == world.machine.vcpus)
			timer_do(&world.program.op[me][player->at]);
		else if (!guest_answer(me) || !guest_do(me, player->at))
			return false;
	}
	return true;
}

static bool do_all(struct player *player)
{
	bool goes_on = do_once(player);

	for (uint32_t pass = 1; pass < stage.passes && goes_on; pass++)
		goes_on = do_once(player);
	return goes_on;
}

/* Others may want the vCPU out of guest mode for as long as they have operations left. */
static void play(void *arg)
{
	struct player *player = arg;
	bool goes_on = do_all(player) && player->index < world.machine.vcpus;

	leave_work(player);
	while (goes_on && __atomic_load_n(&stage.busy, __ATOMIC_ACQUIRE)) {
		goes_on = guest_answer(player->index);
		sched_yield();
	}
}

static bool wait_for_round(uint64_t round)
{
	bool ret;

	pthread_mutex_lock(&stage.lock);
	while (stage.round < round && !stage.over)
		pthread_cond_wait(&stage.begun, &stage.lock);
	ret = !stage.over;
	pthread_mutex_unlock(&stage.lock);
	return ret;
}

static void rest(void)
{
	pthread_mutex_lock(&stage.lock);
	if (++stage.resting == stage.n)
		pthread_cond_signal(&stage.rested);
	pthread_mutex_unlock(&stage.lock);
}

static void *player_main(void *arg)
{
	struct player *player = arg;
	stack_t stack = { .ss_sp = player->signal_stack, .ss_size = SIGNAL_STACK }, before;
	char name[16];

	snprintf(name, sizeof(name), player->index < stage.n - 1 ? "vCPU %u" : "the timer", player->index);
	player_adopt(&player->self, name);
	sigaltstack(&stack, &before);
	for (uint64_t round = 1; wait_for_round(round); round++) {
		noise_seed(mix64(stage.seed + player->index) | 1);
		line_up();
		pv_guarded(play, player);
		leave_work(player);
		rest();
	}
	sigaltstack(&before, NULL);
	return NULL;
}

static void init_condition(void)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&stage.rested, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

int players_start(uint32_t vcpus)
{
	int error = 0;

	stage.n = vcpus + 1;
	stage.round = 0;
	stage.over = false;
	init_condition();
	for (uint32_t i = 0; i < stage.n && !error; i++) {
		players[i].index = i;
		error = pthread_create(&players[i].thread, NULL, player_main, &players[i]);
		if (error)
			stage.n = i;
	}
	if (error)
		players_end();
	return error;
}

void players_end(void)
{
	pthread_mutex_lock(&stage.lock);
	stage.over = true;
	pthread_cond_broadcast(&stage.begun);
	pthread_mutex_unlock(&stage.lock);
	for (uint32_t i = 0; i < stage.n; i++)
		pthread_join(players[i].thread, NULL);
	stage.n = 0;
}

static void begin(uint64_t seed, uint32_t passes)
{
	for (uint32_t i = 0; i < stage.n; i++)
		players[i].playing = true;
	stage.seed = seed;
	stage.passes = passes;
	stage.at_line = 0;
	stage.busy = stage.n;
	pthread_mutex_lock(&stage.lock);
	stage.resting = 0;
	stage.round++;
	pthread_cond_broadcast(&stage.begun);
	pthread_mutex_unlock(&stage.lock);
}

bool players_round(uint64_t seed, uint32_t passes, uint64_t patience_ns)
{
	struct timespec until;
	int error = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(patience_ns / 1000000000u);
	until.tv_nsec += (long)(patience_ns % 1000000000u);
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	begin(seed, passes);
	pthread_mutex_lock(&stage.lock);
	while (stage.resting < stage.n && !error)
		error = pthread_cond_timedwait(&stage.rested, &stage.lock, &until);
	pthread_mutex_unlock(&stage.lock);
	return !error;
}

void players_describe(char *text, uint64_t size)
{
	uint64_t used = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < stage.n && used < size; i++) {
		const struct player *player = &players[i];
		const struct pv_lock *lock = player->self.held ? player->self.locks[0] : NULL;

		if (player->playing)
			used += (uint64_t)snprintf(text + used, size - used, "%s%s is in %s, operation %u%s%s",
						   used ? "; " : "", player->self.name,
						   player->self.doing ? player->self.doing : "guest mode", player->at,
						   lock ? ", and holds " : "", lock ? lock->name : "");
	}
}

/* A wild access goes on here, on the thread's own stack, as if it had called this. */
static _Noreturn void crashed(void)
{
	const struct pv_thread *self = pv_self();

	pv_panic("%s in %s makes a wild access", self->name, self->doing ? self->doing : "no operation");
}

static void on_fault(int signum, siginfo_t *info, void *arg)
{
	ucontext_t *context = arg;

	(void)info;
	if (!pv_self()->unwind) {
		signal(signum, SIG_DFL);
		return;
	}
	context->uc_mcontext.gregs[REG_RSP] = (context->uc_mcontext.gregs[REG_RSP] - 256) / 16 * 16 - 8;
	context->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)crashed;
}

void players_catch_faults(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}
