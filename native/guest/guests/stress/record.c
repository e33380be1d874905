/* SPDX-License-Identifier: GPL-2.0-only */
/* Records of version 2: of one moment, of their own group, and with times that can be. */
#include "judge.h"

enum { TRIES = 4, CALIBRATION_NS = 10 * 1000 * 1000, SHARE = 128, SLACK_NS = 20000 };

struct rate {
	uint64_t least, most; /* ticks of the time-stamp counter, in this time: */
	uint64_t ns;
};
static struct rate rate;

/* What comes between a stamp and its call makes it less exact, and not wrong. */
static bool calibrate(struct rate *ret)
{
	struct kvm_pv_perf_attr attr = kvm_pmu_attr(PV_TYPE_SOFTWARE, PV_SW_CPU_CLOCK, false, false);
	struct kvm_pmu_event event;
	uint64_t began, enabled, ns = 0;
	int64_t error = kvm_pmu_open(&event, &attr);

	began = __builtin_ia32_rdtsc();
	error |= kvm_pmu_enable(&event);
	enabled = __builtin_ia32_rdtsc();
	while (!error && ns < CALIBRATION_NS)
		error = kvm_pmu_read(&event, &ns);
	ret->least = __builtin_ia32_rdtsc() - enabled;
	error |= kvm_pmu_disable(&event);
	ret->most = __builtin_ia32_rdtsc() - began;
	ret->ns = kvm_pmu_count(&event);
	error |= kvm_pmu_close(&event);
	return !error;
}

static uint64_t vagueness(const struct rate *rate)
{
	return (rate->most - rate->least) * SHARE / rate->most;
}

void record_calibrate(void)
{
	for (int i = 0; i < TRIES && (!rate.ns || vagueness(&rate)); i++) {
		struct rate now;

		if (calibrate(&now) && (!rate.ns || vagueness(&now) < vagueness(&rate)))
			rate = now;
	}
}

static bool is_version2(const struct attempt *attempt)
{
	return is_one_of(attempt->op->kind, "lj");
}

void record_number(struct attempt *attempt)
{
	struct look look = look_at(&attempt->watched);

	attempt->unique_id = 0;
	if (!is_version2(attempt) || !attempt->opened || !look_is_whole(&look))
		return;
	attempt->unique_id = look.id;
	if (!look.id)
		found(RECORDS, "event %u has no unique id", attempt->op->id);
	for (unsigned i = 0; i < cpu_count() && attempt->unique_id; i++)
		for (unsigned k = 0; k < players[i].used; k++) {
			const struct attempt *other = &players[i].attempts[k];

			if (other != attempt && other->unique_id == attempt->unique_id)
				found(RECORDS, "events %u and %u both have the unique id %lu", other->op->id,
				      attempt->op->id, attempt->unique_id);
		}
}

static struct attempt *numbered(uint64_t unique_id)
{
	for (unsigned i = 0; i < cpu_count(); i++)
		for (unsigned k = 0; k < players[i].used; k++)
			if (unique_id && players[i].attempts[k].unique_id == unique_id)
				return &players[i].attempts[k];
	return NULL;
}

/* Was there a call that closed the event, and began before `until`; or, if `surely`, was over by then? */
static bool was_closed(uint32_t id, uint64_t until, bool surely)
{
	for (unsigned i = 0; i < cpu_count(); i++)
		for (unsigned k = 0; k < players[i].length; k++) {
			const struct step *step = &players[i].steps[k];

			if (step->op && step->op->kind == 'c' && step->op->id == id && !step->result &&
			    (surely ? step->returned : step->invoked) < until)
				return true;
		}
	return false;
}

/* Who has joined this leader: for sure, and at most. `numbers` tells whether all of them have told theirs. */
static struct span siblings(uint32_t leader, const struct step *step, bool *numbers)
{
	struct span n = { 0, 0 };

	*numbers = true;
	for (unsigned i = 0; i < cpu_count(); i++)
		for (unsigned k = 0; k < players[i].used; k++) {
			const struct attempt *attempt = &players[i].attempts[k];
			uint32_t id = attempt->op->id;
			bool alone = only_attempt(id) == attempt;

			if (attempt->op->kind != 'j' || attempt->op->leader != leader || !attempt->opened)
				continue;
			*numbers = *numbers && attempt->unique_id;
			n.least += alone && attempt->opened->returned < step->invoked && !was_closed(id, step->returned, false);
			n.most += attempt->opened->invoked < step->returned && !(alone && was_closed(id, step->invoked, true));
		}
	return n;
}

static void judge_member(const struct acts *acts, const struct step *step, uint64_t value)
{
	struct span span = window_count(acts, BEHIND, step);

	book.bounded++;
	book.exact += span.least == span.most;
	if (value < span.least || value > span.most)
		found(COUNTS, "event %u counted %lu in its group, and %lu to %lu while it was enabled",
		      acts->attempt->op->id, value, span.least, span.most);
}

/* All members were read at the moment of the call, or later, by another one. */
static void judge_members(uint32_t leader, const struct step *step, const struct look *look)
{
	static struct acts acts;
	bool numbers;
	struct span n = siblings(leader, step, &numbers);

	if (look->nr < 1 + n.least || look->nr > 1 + n.most)
		found(RECORDS, "event %u tells of a group of %lu, and of %lu to %lu it is", leader, look->nr, 1 + n.least,
		      1 + n.most);
	for (uint64_t i = 0; i < look->nr; i++) {
		const struct attempt *member = numbered(look->member[i].id);

		if (!member && numbers)
			found(RECORDS, "event %u tells of a member %lu, and no event has that number", leader,
			      look->member[i].id);
		if (member && member->source != OF_OTHER && acts_find(&acts, member))
			judge_member(&acts, step, look->member[i].value);
	}
}

static void judge_group(uint32_t id, const struct look *look)
{
	if (!look->nr || look->nr > MEMBERS)
		found(RECORDS, "event %u tells of a group of %lu", id, look->nr);
	else if (look->member[0].value != look->count)
		found(RECORDS, "event %u tells of two moments: it counted %lu, and in its group %lu", id, look->count,
		      look->member[0].value);
	else if (look->member[0].id != look->id)
		found(RECORDS, "event %u has the unique id %lu, and in its group %lu", id, look->id, look->member[0].id);
}

/* Nobody was in a handler, where time stands still. */
static bool was_undisturbed(void)
{
	for (unsigned i = 0; i < cpu_count(); i++)
		if (players[i].nmis_before != players[i].nmis)
			return false;
	return true;
}

static void judge_time(const struct acts *acts, enum moment moment, const struct step *step, uint64_t ns)
{
	typedef unsigned __int128 wide;
	struct span span = window_time(acts, moment, step);

	if (!rate.ns)
		return;
	book.timed++;
	if ((wide)ns * rate.least > ((wide)span.most + span.most / SHARE) * rate.ns + (wide)SLACK_NS * rate.least ||
	    (was_undisturbed() &&
	     ((wide)ns + ns / SHARE + SLACK_NS) * rate.most < (wide)span.least * rate.ns))
		found(TIMES, "event %u was enabled %lu to %lu of %lu ticks in %lu ns, and is told %lu ns", acts->attempt->op->id,
		      span.least, span.most, rate.most, rate.ns, ns);
}

static void judge_times(uint32_t id, const struct look *look, const struct look *before)
{
	if (look->time_running > look->time_enabled || (!options.rotates && look->time_running != look->time_enabled))
		found(TIMES, "event %u ran %lu ns, and was enabled %lu ns", id, look->time_running, look->time_enabled);
	if (before && look_is_whole(before) &&
	    (look->time_enabled < before->time_enabled || look->time_running < before->time_running))
		found(TIMES, "the times of event %u went from %lu and %lu ns back to %lu and %lu", id, before->time_enabled,
		      before->time_running, look->time_enabled, look->time_running);
}

void judge_record(const struct acts *acts, enum moment moment, const struct step *step, const struct look *look,
		  const struct look *before)
{
	uint32_t id = acts->attempt->op->id;
	bool leads = acts->attempt->op->kind == 'l', given = moment == BEHIND && step_gives(step);

	if (!is_version2(acts->attempt) || !look_is_whole(look))
		return;
	book.records++;
	judge_times(id, look, before);
	if (leads)
		judge_group(id, look);
	if (given)
		judge_time(acts, moment, step, look->time_enabled);
	if (given && leads && look->nr <= MEMBERS)
		judge_members(id, step, look);
}
