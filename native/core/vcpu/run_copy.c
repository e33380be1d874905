/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/vcpu/run_copy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/host/host.h"

/* No counter comes so far between two exits: that is half a year of a time-stamp counter's ticks. */
static const uint64_t most_between_exits = 1ull << 56;

/* What an exit says, as it was read: once. */
struct said {
	uint32_t reason, cpl;
	uint64_t rip, arg[4], count[PV_COUNTS][PV_CPLS], retire[PV_COUNTS_AT_EXIT];
};

#define LOAD(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)
#define STORE(word, value) __atomic_store_n(&(word), value, __ATOMIC_RELAXED)

static bool is_published(const struct pv_run *own, unsigned counter)
{
	return counter < PV_COUNTS_AT_EXIT || own->wanted >> counter & 1;
}

static void read_exit(const struct pv_run *shared, const struct pv_run *own, struct said *said)
{
	said->reason = LOAD(shared->exit_reason);
	said->cpl = LOAD(shared->cpl);
	said->rip = LOAD(shared->rip);
	for (unsigned i = 0; i < 4; i++)
		said->arg[i] = LOAD(shared->arg[i]);
	for (unsigned counter = 0; counter < PV_COUNTS; counter++)
		for (unsigned cpl = 0; cpl < PV_CPLS && is_published(own, counter); cpl++)
			said->count[counter][cpl] = LOAD(shared->count[counter][cpl]);
	for (unsigned i = 0; i < PV_COUNTS_AT_EXIT; i++)
		said->retire[i] = LOAD(shared->retire[i]);
}

/* What no engine says; NULL: nothing. */
static const char *lie(const struct pv_run *own, const struct said *said)
{
	if (said->cpl > PV_CPL_USER)
		return "the vCPU's process names a privilege level that there is not";
	if (said->retire[PV_COUNT_INSTRUCTIONS] > 1 || said->retire[PV_COUNT_BRANCHES] > 1 ||
	    said->retire[PV_COUNT_CYCLES] > 1 + PV_CYCLES_VM_EXIT || said->retire[PV_COUNT_GUEST_TSC])
		return "the vCPU's process says that an exit retires more than there is to it";
	for (unsigned counter = 0; counter < PV_COUNTS; counter++)
		for (unsigned cpl = 0; cpl < PV_CPLS && is_published(own, counter); cpl++)
			if (said->count[counter][cpl] - own->count[counter][cpl] > most_between_exits)
				return "a counter of the vCPU's process goes backwards";
	return NULL;
}

static void refuse(struct pv_run *own, const char *why)
{
	own->exit_reason = PV_EXIT_ERROR;
	own->arg[0] = (uint64_t)-EIO;
	snprintf(own->text, sizeof(own->text), "%s", why);
}

/* A text may end on a terminal: it is one line of ASCII. */
static void read_text(const struct pv_run *shared, struct pv_run *own)
{
	size_t i = 0;
	char c;

	while (i < sizeof(own->text) - 1 && (c = LOAD(shared->text[i])))
		own->text[i++] = c >= ' ' && c <= '~' ? c : '?';
	own->text[i] = 0;
}

void run_take(const struct pv_run *shared, struct pv_run *own)
{
	struct said said;
	const char *why;

	read_exit(shared, own, &said);
	why = lie(own, &said);
	if (why) {
		refuse(own, why);
		return;
	}
	own->exit_reason = said.reason;
	own->cpl = said.cpl;
	own->rip = said.rip;
	memcpy(own->arg, said.arg, sizeof(own->arg));
	for (unsigned counter = 0; counter < PV_COUNTS; counter++)
		if (is_published(own, counter))
			memcpy(own->count[counter], said.count[counter], sizeof(own->count[counter]));
	memcpy(own->retire, said.retire, sizeof(own->retire));
	if (said.reason == PV_EXIT_SHUTDOWN || said.reason == PV_EXIT_ERROR)
		read_text(shared, own);
}

void run_give(struct pv_run *shared, const struct pv_run *own)
{
	STORE(shared->action, own->action);
	STORE(shared->rax, own->rax);
	STORE(shared->inject, own->inject);
	STORE(shared->wanted, own->wanted);
	STORE(shared->armed, own->armed);
	for (uint64_t left = own->armed; left; left &= left - 1)
		STORE(shared->alarm[__builtin_ctzll(left)], own->alarm[__builtin_ctzll(left)]);
	if (own->wanted >> PV_COUNT_BREAKPOINT)
		memcpy(shared->breakpoint, own->breakpoint, sizeof(shared->breakpoint));
	if (own->action == PV_ENTER_JUMP || own->action == PV_ENTER_AGENT)
		shared->jump = own->jump;
}
