/* SPDX-License-Identifier: GPL-2.0-only */
#include "window.h"

struct attempt *only_attempt(unsigned id)
{
	struct attempt *found = NULL;

	for (unsigned i = 0; i < cpu_count(); i++)
		for (unsigned k = 0; k < players[i].used; k++) {
			struct attempt *attempt = &players[i].attempts[k];

			if (attempt->op->id != id || !attempt->opened)
				continue;
			if (found)
				return NULL;
			found = attempt;
		}
	return found;
}

bool act_starts(const struct step *act)
{
	return act->op->kind == 'e';
}

static bool is_act(const struct acts *acts, const struct step *step)
{
	if (!step->op || step->result || !is_one_of(step->op->kind, "edc"))
		return false;
	if (step->op->id == acts->attempt->op->id)
		return true;
	/* What was over before it joined is no concern of its. */
	return acts->leader && step->op->id == acts->leader->op->id && step->returned > acts->attempt->opened->invoked;
}

bool acts_find(struct acts *acts, const struct attempt *attempt)
{
	acts->attempt = attempt;
	acts->leader = NULL;
	acts->length = 0;
	if (!attempt->opened || only_attempt(attempt->op->id) != attempt)
		return false;
	if (attempt->op->kind == 'j' && !(acts->leader = only_attempt(attempt->op->leader)))
		return false;
	for (unsigned i = 0; i < cpu_count(); i++)
		for (unsigned k = 0; k < players[i].length; k++)
			if (is_act(acts, &players[i].steps[k]))
				acts->act[acts->length++] = &players[i].steps[k];
	return true;
}

/* A vCPU's position, or the time: `on` is a vCPU and `ruler` 0 or 1, or TIME. */
enum { TIME = 2 };

/* The last moment of the vCPU's that surely lies before this one of the clock. */
static uint64_t position_before(uint32_t vcpu, unsigned ruler, uint64_t clock)
{
	const struct player *player = &players[vcpu];
	uint64_t position = 0;

	for (unsigned i = 0; i < player->length && player->steps[i].invoked <= clock; i++) {
		const struct step *step = &player->steps[i];

		position = step->returned <= clock ? step->way[ruler].returned : step->way[ruler].invoked;
	}
	return position;
}

static uint64_t position_behind(uint32_t vcpu, unsigned ruler, uint64_t clock)
{
	const struct player *player = &players[vcpu];

	for (unsigned i = 0; i < player->length; i++) {
		const struct step *step = &player->steps[i];

		if (step->invoked >= clock)
			return step->way[ruler].invoked;
		if (step->returned >= clock)
			return step->way[ruler].returned;
	}
	return UINT64_MAX;
}

/* Where the vCPU was when this call took effect. */
static struct span effect(const struct step *act, uint32_t on, unsigned ruler)
{
	if (ruler == TIME)
		return (struct span){ act->began, act->ended };
	if (act->vcpu == on)
		return (struct span){ act->way[ruler].call, act->way[ruler].call };
	return (struct span){ position_before(on, ruler, act->invoked), position_behind(on, ruler, act->returned) };
}

static struct span limit(enum moment moment, const struct step *step, uint32_t on, unsigned ruler)
{
	const struct player *player = &players[on];
	const struct way *way = step ? &step->way[ruler % 2] : NULL;

	if (moment == AT_END) {
		const struct step *last = &player->steps[player->length - 1];

		return (struct span){ ruler == TIME ? last->ended : last->way[ruler].returned, UINT64_MAX };
	}
	if (ruler == TIME)
		return (struct span){ step->began, moment == BEFORE ? step->began : step->ended };
	if (step->vcpu == on)
		return moment == BEFORE ? (struct span){ way->look, way->invoked } : (struct span){ way->call, way->returned };
	if (moment == BEHIND)
		return effect(step, on, ruler);
	return (struct span){ position_before(on, ruler, step == players[step->vcpu].steps ? 0 : step[-1].returned),
			      position_behind(on, ruler, step->invoked) };
}

static bool ends(const struct step *act, const struct step *start)
{
	return !act_starts(act) || act->vcpu != start->vcpu;
}

/* Its leader may go on without it. */
static bool is_for_good(const struct acts *acts, const struct step *act)
{
	return act->op->kind == 'c' && act->op->id == acts->attempt->op->id;
}

/* Until when the event was enabled that this call has enabled: surely, and at most. */
static struct span until(const struct acts *acts, const struct step *start, unsigned ruler, struct span limit)
{
	struct span until = limit;

	for (unsigned i = 0; i < acts->length; i++) {
		const struct step *act = acts->act[i];
		struct span at;

		if (act->returned < start->invoked && is_for_good(acts, act))
			return (struct span){ 0, 0 };
		if (!ends(act, start) || act->returned < start->invoked)
			continue;
		at = effect(act, start->vcpu, ruler);
		until.least = at.least < until.least ? at.least : until.least;
		if (act->invoked > start->returned)
			until.most = at.most < until.most ? at.most : until.most;
	}
	return until;
}

/* Was it in its group for sure when the leader was enabled? */
static bool surely_starts(const struct acts *acts, const struct step *start)
{
	return start->op->id == acts->attempt->op->id || acts->attempt->opened->returned < start->invoked;
}

/* Adds what lies behind what was added before: a second ENABLE changes nothing. */
static void add_window(uint64_t *sum, uint64_t *covered, uint64_t from, uint64_t to)
{
	from = from > *covered ? from : *covered;
	if (to <= from)
		return;
	*sum = to == UINT64_MAX || *sum == UINT64_MAX ? UINT64_MAX : *sum + to - from;
	*covered = to;
}

struct length_of {
	struct span sum, covered;
};

static void add_start(const struct acts *acts, const struct step *start, unsigned ruler, struct span limit,
		      struct length_of *length)
{
	struct span from = effect(start, start->vcpu, ruler), to = until(acts, start, ruler, limit);

	if (!ruler) { /* the instruction that enables is not in the window */
		from.least++;
		from.most++;
	}
	if (surely_starts(acts, start))
		add_window(&length->sum.least, &length->covered.least, from.most, to.least);
	add_window(&length->sum.most, &length->covered.most, from.least, to.most);
}

static struct span add_up(const struct acts *acts, unsigned ruler, enum moment moment, const struct step *step)
{
	struct span sum = { 0, 0 };
	struct length_of length = { 0 };
	uint32_t on = GUEST_MAX_VCPUS;

	for (unsigned i = 0; i < acts->length; i++) {
		const struct step *act = acts->act[i];

		if (!act_starts(act))
			continue;
		if (act->vcpu != on) {
			length = (struct length_of){ 0 };
			on = act->vcpu;
		}
		length.sum = (struct span){ 0, 0 };
		add_start(acts, act, ruler, limit(moment, step, on, ruler), &length);
		sum.least += length.sum.least;
		sum.most = length.sum.most == UINT64_MAX || sum.most == UINT64_MAX ? UINT64_MAX : sum.most + length.sum.most;
	}
	return sum;
}

struct span window_count(const struct acts *acts, enum moment moment, const struct step *step)
{
	struct span span;

	if (acts->attempt->source == OF_USER)
		return (struct span){ 0, 0 };
	span = add_up(acts, acts->attempt->source == OF_BRANCHES, moment, step);
	if (options.rotates)
		span.least = 0;
	return span;
}

struct span window_time(const struct acts *acts, enum moment moment, const struct step *step)
{
	return add_up(acts, TIME, moment, step);
}

bool window_may_be_on(const struct acts *acts, const struct step *step, bool called)
{
	uint64_t clock = called ? step->invoked : step == players[step->vcpu].steps ? 0 : step[-1].returned;

	for (unsigned i = 0; i < acts->length; i++) {
		const struct step *start = acts->act[i];
		bool over = false;

		if (!act_starts(start) || start->vcpu != step->vcpu || start > step)
			continue;
		for (unsigned k = 0; k < acts->length && !over; k++)
			over = ends(acts->act[k], start) && acts->act[k]->invoked > start->returned &&
			       acts->act[k]->returned < clock;
		if (!over)
			return true;
	}
	return false;
}

bool window_is_own(const struct acts *acts, uint32_t vcpu)
{
	for (unsigned i = 0; i < acts->length; i++)
		if (acts->act[i]->vcpu != vcpu)
			return false;
	return acts->length;
}
