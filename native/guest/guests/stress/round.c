/* SPDX-License-Identifier: GPL-2.0-only */
/* What a round is made of: the events that somebody tries to open, and each vCPU's steps. */
#include <stddef.h>

#include "stress.h"

#define AT(field, offset) _Static_assert(offsetof(struct step, field) == (offset), #field)
AT(argument, STEP_ARGUMENTS);
AT(spin, STEP_SPIN);
AT(target, STEP_TARGET);
AT(mark, STEP_MARK);
AT(me, STEP_ME);
AT(invoked, STEP_INVOKED);
AT(returned, STEP_RETURNED);
AT(result, STEP_RESULT);
AT(began, STEP_BEGAN);
AT(ended, STEP_ENDED);
AT(before, STEP_BEFORE);
AT(after, STEP_AFTER);
_Static_assert(sizeof(struct step) == STEP_SIZE && sizeof(struct look) == LOOK_SIZE, "steps.S");
_Static_assert(offsetof(struct watched, event) == WATCHED_EVENT, "event");
_Static_assert(offsetof(struct watched, taken) == WATCHED_TAKEN, "taken");
_Static_assert(offsetof(struct watched, begun) == WATCHED_BEGUN, "begun");

uint64_t round_clock;
static uint64_t arrived;
static uint64_t enabled_last[IDS];          /* by which vCPU, plus 1 */
static struct attempt *opened_by_id[IDS];   /* if a single operation of the round opens it */
static struct watched nothing;
static uint64_t nowhere[GUEST_MAX_VCPUS];

static bool opens(char kind)
{
	return kind == 'o' || kind == 'O' || kind == 'b' || kind == 'l' || kind == 'j';
}

static bool is_version2(char kind)
{
	return kind == 'l' || kind == 'j';
}

static enum source draw_source(struct player *player, const struct op *op)
{
	static const enum source sources[] = { OF_INSTRUCTIONS, OF_INSTRUCTIONS, OF_BRANCHES, OF_KERNEL, OF_USER };

	if (op->kind == 'O' || op->kind == 'b')
		return OF_OTHER;
	return options.sources ? sources[random_next(player) % (op->value ? 4 : 5)] : OF_INSTRUCTIONS;
}

static struct kvm_pv_perf_attr attr_of(const struct op *op, const struct attempt *attempt)
{
	if (op->kind == 'b')
		return (struct kvm_pv_perf_attr){ .type = PV_TYPE_BREAKPOINT, .bp_type = PV_BP_W, .bp_len = 8,
						  .bp_addr = (uint64_t)attempt->watched.event };
	if (op->kind == 'O')
		return kvm_pmu_attr_sampling(PV_TYPE_SOFTWARE, PV_SW_CPU_CLOCK, false, false, op->value);
	return kvm_pmu_attr_sampling(PV_TYPE_HARDWARE,
				     attempt->source == OF_BRANCHES ? PV_HW_BRANCH_INSTRUCTIONS : PV_HW_INSTRUCTIONS,
				     attempt->source == OF_KERNEL, attempt->source == OF_USER, op->value);
}

static void put_param(struct attempt *attempt, const struct op *op)
{
	gpa_t event = (gpa_t)attempt->watched.event, attr = (gpa_t)&attempt->attr;

	if (!is_version2(op->kind)) {
		attempt->param = (struct kvm_pv_perf_event_param){ .attr_addr = attr, .guest_event_addr = event,
								   .id = (int32_t)op->id };
		return;
	}
	attempt->attr.read_format =
		KVM_PMU_GROUP_FORMAT & ~(op->kind == 'j' ? (uint64_t)KVM_PV_PERF_FORMAT_GROUP : 0);
	attempt->param2 = (struct kvm_pv_perf_event_param2){
		.attr_addr = attr, .guest_event_addr = event, .guest_event_bytes = sizeof(attempt->watched.event),
		.id = (int32_t)op->id, .group = op->kind == 'j' ? (int32_t)op->leader : -1,
	};
}

static void add_attempt(struct player *player, const struct op *op)
{
	struct attempt *attempt = &player->attempts[player->used++];

	*attempt = (struct attempt){ .op = op, .source = draw_source(player, op) };
	attempt->period = attempt->source < OF_USER ? op->value : 0;
	attempt->attr = attr_of(op, attempt);
	put_param(attempt, op);
	all_watched[watched_count++] = &attempt->watched;
}

static unsigned program_of(const struct player *player, uint64_t round)
{
	return player->programs ? (unsigned)(round % player->programs) : 0;
}

void round_events(uint64_t round)
{
	unsigned opened[IDS] = { 0 };

	arrived = 0;
	round_clock = 1;
	watched_count = 0;
	memset(enabled_last, 0, sizeof(enabled_last));
	memset(opened_by_id, 0, sizeof(opened_by_id));
	for (unsigned i = 0; i < cpu_count(); i++) {
		struct player *player = &players[i];
		unsigned program = program_of(player, round);

		player->used = 0;
		for (unsigned k = 0; k < player->lengths[program]; k++) {
			const struct op *op = &player->ops[program][k];

			if (!opens(op->kind))
				continue;
			add_attempt(player, op);
			opened_by_id[op->id] = opened[op->id]++ ? NULL : &player->attempts[player->used - 1];
		}
	}
}

static struct step *add_step(struct player *player)
{
	struct step *step = &player->steps[player->length++];
	unsigned vcpu = (unsigned)(player - players);

	*step = (struct step){ .kind = STEP_NONE, .spin = 1, .target = &nothing, .mark = &nowhere[vcpu],
			       .me = vcpu + 1, .vcpu = vcpu };
	return step;
}

static void call(struct step *step, uint64_t number, uint64_t b, uint64_t c, uint64_t d)
{
	const uint64_t argument[] = { number, b, c, d };

	step->kind = STEP_CALL;
	memcpy(step->argument, argument, sizeof(argument));
}

/* What makes no sense: it must be refused, and change nothing. */
static void add_attack(struct player *player)
{
	uint64_t a = random_next(player), ids = IDS + (a & 0xffff), bad = boot_info()->ram_size + (a & ~7ull);
	struct step *step = add_step(player);

	switch (random_next(player) % 4) {
	case 0: call(step, KVM_PERF_OP, KVM_PV_PERF_OP_ENABLE, ids, 0); return;
	case 1: call(step, KVM_PERF_OP, KVM_PV_PERF_OP_CLOSE, (uint32_t)~ids, 0); return;
	case 2: call(step, KVM_PERF_OP, KVM_PV_PERF_OP_OPEN, (uint32_t)bad, bad >> 32); return;
	default: call(step, KVM_PERF_OP, KVM_PV_PERF_OP_MAX + a % 1000, a, a);
	}
}

/* Where an operation on this id looks: at the event that it is about, if that is known. */
static void aim(struct step *step, const struct player *player, unsigned used, uint32_t id)
{
	step->attempt = opened_by_id[id];
	for (unsigned i = used; i && !step->attempt; i--)
		if (player->attempts[i - 1].op->id == id)
			step->attempt = (struct attempt *)&player->attempts[i - 1];
	if (step->attempt)
		step->target = &step->attempt->watched;
}

static void call_open(struct step *step, struct attempt *attempt)
{
	gpa_t param = (gpa_t)&attempt->param;

	call(step, KVM_PERF_OP, is_version2(step->op->kind) ? KVM_PV_PERF_OP_OPEN2 : KVM_PV_PERF_OP_OPEN, (uint32_t)param,
	     param >> 32);
	step->attempt = attempt;
	step->target = &attempt->watched;
}

static void call_op(struct step *step, uint64_t op)
{
	call(step, KVM_PERF_OP, op, step->op->id, 0);
}

static void choose(struct step *step)
{
	switch (step->op->kind) {
	case 'e': call_op(step, KVM_PV_PERF_OP_ENABLE); step->mark = &enabled_last[step->op->id]; return;
	case 'd': call_op(step, KVM_PV_PERF_OP_DISABLE); return;
	case 'c': call_op(step, KVM_PV_PERF_OP_CLOSE); return;
	case 'v': call_op(step, KVM_PV_PERF_OP_READ); return;
	case 'k': call(step, KVM_HC_KICK_CPU, 0, step->op->id % cpu_count(), 0); return;
	case 'h':
		step->kind = watched_count ? STEP_TAKE : STEP_NONE;
		step->argument[0] = (uint64_t)all_watched;
		step->argument[1] = watched_count;
	}
}

/* `looks_at`: the event that this vCPU enabled last; what is about no event looks at that. */
static void add_op(struct player *player, const struct op *op, unsigned *used, uint32_t *looks_at)
{
	struct step *step = add_step(player);
	uint64_t noise = options.noise;

	if (noise)
		step->spin += random_next(player) % (random_next(player) % 4 ? noise / 16 + 1 : noise) / 2;
	step->op = op;
	if (op->kind == 'r')
		step->spin += op->value / 2;
	if (op->kind == 'e')
		*looks_at = op->id;
	if (opens(op->kind)) {
		call_open(step, &player->attempts[(*used)++]);
		return;
	}
	choose(step);
	if (is_one_of(op->kind, "edcvp"))
		aim(step, player, *used, op->id);
	else if (*looks_at < IDS)
		aim(step, player, *used, *looks_at);
}

/* All wait for each other, and each disables what it has enabled last: from then on nothing counts. */
static void add_end(struct player *player, uint32_t enabled, unsigned used)
{
	struct step *wait = add_step(player);

	wait->kind = STEP_WAIT;
	wait->argument[0] = (uint64_t)&arrived;
	wait->argument[1] = cpu_count();
	for (uint32_t id = 0; id < IDS; id++) {
		struct step *step;

		if (!(enabled >> id & 1))
			continue;
		player->stops[id] = (struct op){ .kind = 'd', .id = id };
		step = add_step(player);
		step->op = &player->stops[id];
		call_op(step, KVM_PV_PERF_OP_DISABLE);
		step->kind = STEP_STOP;
		step->mark = &enabled_last[id];
		aim(step, player, used, id);
	}
}

void round_steps(struct player *player, uint64_t round)
{
	unsigned program = program_of(player, round), used = 0;
	uint32_t looks_at = IDS, enabled = 0;

	player->length = 0;
	for (unsigned i = 0; i < player->lengths[program]; i++) {
		const struct op *op = &player->ops[program][i];

		if (options.hostile && random_next(player) % 1000 < options.hostile)
			add_attack(player);
		add_op(player, op, &used, &looks_at);
		if (op->kind == 'e')
			enabled |= 1u << op->id;
	}
	add_end(player, enabled, used);
}
