/* SPDX-License-Identifier: GPL-2.0-only */
/* What the vCPUs have seen of each event, against what they know that it must have counted. */
#include "judge.h"

#include <stdarg.h>

/* By so many instructions behind it an overflow has come: a block of steps.S is shorter. */
enum { LATEST = 128 };

/* The first that was found; and the first of the round that is wrong only if the host knows of no reason for it. */
static char told[200], late[200];

void found(enum finding finding, const char *format, ...)
{
	va_list args;

	if (book.wrong[finding]++ || told[0])
		return;
	va_start(args, format);
	string_vprintf(finding == LATE ? late : told, sizeof(told), format, args);
	va_end(args);
}

void found_lateness(bool has_reason)
{
	if (has_reason)
		book.wrong[LATE] = 0;
	if (book.wrong[LATE] && !told[0])
		memcpy(told, late, sizeof(told));
}

const char *found_first(void)
{
	return told;
}

/* Does any vCPU make a sibling of that id in this round? Whose event a call finds is not known where several open it. */
static bool may_be_sibling(unsigned id)
{
	for (unsigned i = 0; i < cpu_count(); i++)
		for (unsigned k = 0; k < players[i].used; k++)
			if (players[i].attempts[k].op->kind == 'j' && players[i].attempts[k].op->id == id)
				return true;
	return false;
}

static bool may_return(const struct step *step)
{
	int64_t result = step->result;
	bool version1 = options.version1 && is_one_of(step->op->kind, "lj");

	if (!result || result == RESULT_SKIPPED || (version1 && result == -PV_EINVAL))
		return true;
	switch (step->op->kind) {
	case 'j':
		if (result == -PV_ENOENT || result == -PV_EINVAL)
			return true;
		/* fallthrough */
	case 'o': case 'O': case 'b': case 'l':
		return result == -PV_EEXIST || result == (options.posted ? -PV_ENOENT : -PV_ENOSPC);
	case 'e': case 'd':
		return result == -PV_ENOENT || (result == -PV_EINVAL && may_be_sibling(step->op->id));
	default:
		return result == -PV_ENOENT;
	}
}

static void judge_attack(const struct step *step)
{
	bool opens = step->argument[1] == KVM_PV_PERF_OP_OPEN, right = step->result < 0;

	book.done++;
	book.refused++;
	if (opens)
		right = step->result == -PV_EFAULT;
	else if (step->argument[1] < KVM_PV_PERF_OP_MAX)
		right = step->result == -PV_ENOENT;
	if (!right)
		found(STRANGE, "operation %lu, which makes no sense, gave %ld on vCPU %u", step->argument[1], step->result,
		      step->vcpu);
}

void judge_results(struct player *player)
{
	for (unsigned i = 0; i < player->length; i++) {
		struct step *step = &player->steps[i];

		if (step->kind == STEP_CALL && !step->op)
			judge_attack(step);
		if (step->kind != STEP_CALL || !step->op || step->op->kind == 'k')
			continue;
		book.done++;
		book.refused += step->result != 0;
		if (!may_return(step))
			found(STRANGE, "%c gave %ld on vCPU %u", step->op->kind, step->result, step->vcpu);
		if (step->result)
			continue;
		if (is_one_of(step->op->kind, "oOblj"))
			step->attempt->opened = step;
		players[step->vcpu].opened[step->op->id] += is_one_of(step->op->kind, "oOblj");
		players[step->vcpu].closed[step->op->id] += step->op->kind == 'c';
	}
}

static void judge_count(const struct acts *acts, const struct span *span, const struct look *look, bool given)
{
	uint32_t id = acts->attempt->op->id;

	if (given) {
		book.bounded++;
		book.exact += span->least == span->most;
	}
	if (look->count > span->most || (given && look->count < span->least))
		found(COUNTS, "event %u counted %lu, and %lu to %lu while it was enabled", id, look->count, span->least,
		      span->most);
}

/* Overflows come a period apart, the count with them, and soon. */
static void judge_overflows(const struct acts *acts, const struct span *span, const struct look *look, uint64_t lag)
{
	uint64_t period = acts->attempt->period, n = look_overflows(look), least = span->least > lag ? span->least - lag : 0;
	uint32_t id = acts->attempt->op->id;

	if (!period || !look_is_settled(look))
		return;
	if (look->count < n * period)
		found(STALE, "event %u, of period %lu, had %lu overflows, and its count said %lu", id, period, n, look->count);
	if (n > span->most / period)
		found(EARLY, "event %u, of period %lu, had %lu overflows, and counted at most %lu", id, period, n, span->most);
	if (n < least / period)
		found(LATE, "event %u, of period %lu, had %lu overflows, and counted at least %lu", id, period, n, span->least);
}

static void judge_look(const struct acts *acts, enum moment moment, const struct step *step, const struct look *look,
		       const struct look *before)
{
	bool given = moment == BEHIND && step_gives(step), own = window_is_own(acts, step->vcpu);
	struct span span = window_count(acts, moment, step);

	if (before && look->count < before->count)
		found(BACKWARDS, "the count of event %u went from %lu back to %lu", acts->attempt->op->id, before->count,
		      look->count);
	if (acts->attempt->source != OF_OTHER) {
		judge_count(acts, &span, look, given);
		span.least = own ? span.least : 0;
		judge_overflows(acts, &span, look, given && step->op->kind == 'd' ? 0 : LATEST);
	}
	judge_record(acts, moment, step, look, before);
}

/* An overflow that reached the event's words where it runs has brought an NMI, whose handler has taken it. */
static void judge_untold(const struct acts *acts, const struct step *step, const struct look *look, int32_t before)
{
	if (look->overflows && look->overflows != before)
		found(UNTOLD, "%d overflows of event %u came to vCPU %u, and no NMI", look->overflows, acts->attempt->op->id,
		      step->vcpu);
}

static void judge_nmis_of(const struct acts *acts, const struct player *player)
{
	bool on = false;
	int32_t before = 0;

	if (acts->leader || !window_is_own(acts, (uint32_t)(player - players)))
		return;
	for (unsigned i = 0; i < player->length; i++) {
		const struct step *step = &player->steps[i];

		if (step->attempt != acts->attempt)
			continue;
		if (on)
			judge_untold(acts, step, &step->before, before);
		before = step->before.overflows;
		if (step->op && !step->result && is_one_of(step->op->kind, "dc"))
			on = false;
		if (on)
			judge_untold(acts, step, &step->after, before);
		if (step->op && !step->result && act_starts(step))
			on = true;
		before = step->after.overflows;
	}
}

static void judge_looks(const struct acts *acts)
{
	for (unsigned i = 0; i < cpu_count(); i++) {
		const struct look *before = NULL;

		for (unsigned k = 0; k < players[i].length; k++) {
			const struct step *step = &players[i].steps[k];

			if (step->attempt != acts->attempt)
				continue;
			judge_look(acts, BEFORE, step, &step->before, before);
			judge_look(acts, BEHIND, step, &step->after, &step->before);
			before = &step->after;
		}
		judge_nmis_of(acts, &players[i]);
	}
}

static bool was_stopped(uint32_t id)
{
	for (unsigned i = 0; i < cpu_count(); i++)
		if (players[i].stopped >> id & 1)
			return true;
	return false;
}

static void judge_end(const struct acts *acts)
{
	const struct attempt *attempt = acts->attempt;
	struct look look = look_at(&attempt->watched);
	struct span span = window_count(acts, AT_END, NULL);
	uint64_t n = look_overflows(&look);
	bool given = was_stopped(attempt->op->id);

	if (attempt->source != OF_OTHER)
		judge_count(acts, &span, &look, given);
	if (!attempt->period)
		return;
	span.least = 0;
	judge_overflows(acts, &span, &look, 0);
	if (!given)
		return;
	book.compared++;
	if (n != look.count / attempt->period)
		found(INEXACT, "event %u, of period %lu, had %lu overflows, and its count is %lu", attempt->op->id,
		      attempt->period, n, look.count);
}

static bool samples(const struct attempt *attempt)
{
	return attempt->attr.sample_period && attempt->source != OF_USER && attempt->opened;
}

/* Which NMIs were for an event that may have been on that vCPU? */
static void explain_nmis(const struct acts *acts, bool known)
{
	for (unsigned i = 0; i < cpu_count(); i++)
		for (unsigned k = 0; k < players[i].length; k++) {
			struct step *step = &players[i].steps[k];

			for (unsigned called = 0; called < 2; called++)
				if (step->nmis[called] && (!known || window_may_be_on(acts, step, called)))
					step->nmis[called] = 0;
		}
}

static void judge_nmis(void)
{
	for (unsigned i = 0; i < cpu_count(); i++)
		for (unsigned k = 0; k < players[i].length; k++)
			if (players[i].steps[k].nmis[0] || players[i].steps[k].nmis[1])
				found(NEEDLESS, "vCPU %u got an NMI, and no event that samples was enabled there", i);
}

static void for_attempts(void (*fn)(struct attempt *attempt))
{
	for (unsigned i = 0; i < cpu_count(); i++)
		for (unsigned k = 0; k < players[i].used; k++)
			fn(&players[i].attempts[k]);
}

static void judge_attempt(struct attempt *attempt)
{
	static struct acts acts;
	bool known = acts_find(&acts, attempt);

	if (samples(attempt))
		explain_nmis(&acts, known);
	if (!known)
		return;
	judge_looks(&acts);
	judge_end(&acts);
}

void judge_round(void)
{
	for_attempts(record_number);
	for_attempts(judge_attempt);
	judge_nmis();
}
