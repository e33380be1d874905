/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Alarms: a guest is first gone through with an alarm at every instruction, which gives
 * the points at which the engine can leave it, with their counts. An alarm at any other
 * distance, of any counter and levels, must then leave it at the first of these points at
 * which it is reached.
 */
#include "engine_test.h"

#include <stdio.h>
#include <string.h>

#include "engine/run/state.h"

enum { MAX_POINTS = 20000, COUNTERS = PV_COUNT_CYCLES + 1, ALL_LEVELS = 3 };

struct point {
	uint64_t rip;
	uint64_t count[COUNTERS][PV_CPLS]; /* since CALL_START */
	uint32_t reason;
};

struct trace {
	struct point points[MAX_POINTS];
	size_t n;
	uint64_t start[COUNTERS][PV_CPLS];
};

static uint64_t point_sum(const struct point *point, unsigned counter, unsigned levels)
{
	return (levels & 1 ? point->count[counter][0] : 0) + (levels & 2 ? point->count[counter][1] : 0);
}

static struct point point_here(const struct vcpu *vcpu, const struct trace *trace)
{
	struct point point = { .rip = vcpu->run->rip, .reason = vcpu->run->exit_reason };

	for (unsigned counter = 0; counter < COUNTERS; counter++)
		for (unsigned cpl = 0; cpl < PV_CPLS; cpl++)
			point.count[counter][cpl] = vcpu->run->count[counter][cpl] - trace->start[counter][cpl];
	return point;
}

static void begin(struct vcpu *vcpu, struct trace *trace, uint64_t label)
{
	vcpu_begin(vcpu, label);
	memcpy(trace->start, vcpu->run->count, sizeof(trace->start));
}

static void trace_all(struct vcpu *vcpu, struct trace *trace, uint64_t label)
{
	begin(vcpu, trace, label);
	trace->n = 0;
	do {
		alarm_arm(vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS,
			  vcpu_sum(vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS) + 1);
		vcpu_resume(vcpu, 0);
		trace->points[trace->n++] = point_here(vcpu, trace);
	} while (!vcpu_is_at(vcpu, CALL_END) && trace->n < MAX_POINTS);
}

/* Runs with one alarm `distance` behind the start, and looks where the vCPU is when it is reached. */
static bool alarm_is_exact(struct vcpu *vcpu, struct trace *trace, const struct guest *guest, unsigned counter,
			   unsigned levels, uint64_t distance)
{
	const struct point *expected = trace->points;
	struct point point;

	while (point_sum(expected, counter, levels) < distance)
		expected++;
	begin(vcpu, trace, guest->label);
	alarm_arm(vcpu, counter, levels, vcpu_sum(vcpu, counter, levels) + distance);
	do {
		vcpu_resume(vcpu, 0);
		point = point_here(vcpu, trace);
	} while (point_sum(&point, counter, levels) < distance && !vcpu_is_at(vcpu, CALL_END) &&
		 point.reason != PV_EXIT_OVERFLOW);
	if (!memcmp(point.count, expected->count, sizeof(point.count)) && point.rip == expected->rip)
		return true;
	fprintf(stderr, "%s: counter %u of levels %u, %llu away: expected at 0x%llx with %llu, is at 0x%llx with %llu\n",
		guest->name, counter, levels, (unsigned long long)distance, (unsigned long long)expected->rip,
		(unsigned long long)point_sum(expected, counter, levels), (unsigned long long)point.rip,
		(unsigned long long)point_sum(&point, counter, levels));
	return false;
}

static struct trace trace;

static void every_distance(const struct guest *guest, bool oracle, uint64_t step)
{
	struct vcpu vcpu;

	vcpu_start(&vcpu, oracle, false, 0);
	trace_all(&vcpu, &trace, guest->label);
	for (unsigned counter = 0; counter < COUNTERS; counter++)
		for (unsigned levels = 1; levels <= ALL_LEVELS; levels++) {
			uint64_t most = point_sum(&trace.points[trace.n - 1], counter, levels);

			/* The model's penalties are large: nothing is to be seen within one. */
			for (uint64_t d = 1; d <= most; d += d < 400 ? step : 97 * step)
				if (!alarm_is_exact(&vcpu, &trace, guest, counter, levels, d)) {
					CHECK(!"exact");
					break;
				}
		}
	vcpu_stop(&vcpu);
}

static void alarm_distances(void)
{
	for (const struct guest *guest = guests(); guest->name; guest++)
		every_distance(guest, false, 1);
}

static void alarm_distances_with_oracle(void)
{
	for (const struct guest *guest = guests(); guest->name; guest++)
		every_distance(guest, true, 7);
}

/* Where nothing has been translated or decoded before. */
static void alarm_in_cold_code(void)
{
	for (const struct guest *guest = guests(); guest->name; guest++) {
		struct vcpu vcpu;

		vcpu_start(&vcpu, false, false, 0);
		trace_all(&vcpu, &trace, guest->label);
		vcpu_stop(&vcpu);
		for (uint64_t d = 1; d < 40; d += 3) {
			vcpu_start(&vcpu, false, false, 0);
			CHECK(alarm_is_exact(&vcpu, &trace, guest, PV_COUNT_INSTRUCTIONS, ALL_LEVELS, d));
			vcpu_stop(&vcpu);
		}
	}
}

/* Blocks of known lengths: each point is where a block ends, and no other. */
static void alarm_points_are_blocks(void)
{
	struct vcpu vcpu;
	uint64_t expected = 1; /* the hypercall */

	vcpu_start(&vcpu, false, false, 0);
	trace_all(&vcpu, &trace, GUEST_LABEL(guest_straight));
	CHECK_EQ(trace.n, 1 + 12 + 1 + 1);
	/* Behind the hypercall; behind each jump; before the last hypercall, and at it. */
	for (unsigned i = 0; i <= 12; i++) {
		CHECK_EQ(trace.points[i].reason, PV_EXIT_OVERFLOW);
		CHECK_EQ(point_sum(&trace.points[i], PV_COUNT_INSTRUCTIONS, ALL_LEVELS), expected);
		CHECK_EQ(point_sum(&trace.points[i], PV_COUNT_BRANCHES, ALL_LEVELS), i);
		expected += i + 1;
	}
	CHECK_EQ(trace.points[13].reason, PV_EXIT_OVERFLOW);
	CHECK_EQ(trace.points[14].reason, PV_EXIT_HYPERCALL);
	CHECK_EQ(trace.points[13].rip, trace.points[14].rip);
	CHECK(!memcmp(trace.points[13].count, trace.points[14].count, sizeof(trace.points[0].count)));
	vcpu_stop(&vcpu);
}

/* A host that does not move an alarm that was reached is told again, and the guest gets on. */
static void alarm_left_alone(void)
{
	for (const struct guest *guest = guests(); guest->name; guest++) {
		struct vcpu vcpu;
		uint64_t last = 0, overflows = 0;

		vcpu_start(&vcpu, false, false, 0);
		trace_all(&vcpu, &trace, guest->label);
		begin(&vcpu, &trace, guest->label);
		alarm_arm(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS, 1);
		while (vcpu_resume(&vcpu, 0), !vcpu_is_at(&vcpu, CALL_END)) {
			uint64_t now = vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS);

			if (vcpu.run->exit_reason != PV_EXIT_OVERFLOW)
				continue;
			CHECK(now > last);
			last = now;
			overflows++;
		}
		for (size_t i = 0; i < trace.n; i++)
			overflows -= trace.points[i].reason == PV_EXIT_OVERFLOW;
		CHECK_EQ(overflows, 0);
		vcpu_stop(&vcpu);
	}
}

/* Overflows of a period, with the remainder kept: floor(N / period), in a guest of some length. */
static void alarm_periods(void)
{
	static const uint64_t periods[] = { 1000, 9999, 10000, 10001, 123457 };

	for (unsigned i = 0; i < sizeof(periods) / sizeof(periods[0]); i++) {
		struct vcpu vcpu;
		uint64_t period = periods[i], raised = 0, start, next;

		vcpu_start(&vcpu, false, false, 0);
		vcpu_begin(&vcpu, GUEST_LABEL(guest_long));
		start = vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS);
		next = start + period;
		do {
			uint64_t now;

			alarm_arm(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS, next);
			vcpu_resume(&vcpu, 0);
			now = vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS);
			if (vcpu.run->exit_reason == PV_EXIT_OVERFLOW)
				CHECK(now >= next && now < next + 5);
			for (; now >= next; next += period)
				raised++;
		} while (!vcpu_is_at(&vcpu, CALL_END));
		/* mov, 500,000 times four, mov, and the hypercall that began it */
		CHECK_EQ(vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS) - start, 2000003);
		CHECK_EQ(raised, 2000003 / period);
		vcpu_stop(&vcpu);
	}
}

/* Alarms of time come, not exactly where, but not before. */
static void alarm_of_time(void)
{
	struct vcpu vcpu;
	uint64_t overflows = 0;

	vcpu_start(&vcpu, false, true, 0);
	vcpu_begin(&vcpu, GUEST_LABEL(guest_long));
	do {
		uint64_t at = vcpu_sum(&vcpu, PV_COUNT_CYCLES, ALL_LEVELS) + 100000;

		alarm_arm(&vcpu, PV_COUNT_CYCLES, ALL_LEVELS, at);
		vcpu_resume(&vcpu, 0);
		if (vcpu.run->exit_reason != PV_EXIT_OVERFLOW)
			continue;
		overflows++;
		CHECK(vcpu_sum(&vcpu, PV_COUNT_CYCLES, ALL_LEVELS) >= at);
		CHECK_EQ(vcpu.run->count[PV_COUNT_CYCLES][0], vcpu.run->count[PV_COUNT_GUEST_TSC][0]);
	} while (!vcpu_is_at(&vcpu, CALL_END));
	CHECK(overflows > 1);
	vcpu_stop(&vcpu);
}

/* Nor are those the model's penalties beside, of what is executed within blocks or leaves guest mode. */
static void alarm_without_penalties(void)
{
	const uint64_t labels[] = { GUEST_LABEL(guest_locked), GUEST_LABEL(guest_io) };
	struct vcpu vcpu;

	vcpu_start(&vcpu, false, true, 0);
	for (unsigned i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		vcpu_begin(&vcpu, labels[i]);
		vcpu_run_to(&vcpu, CALL_END);
		CHECK_EQ(vcpu.run->count[PV_COUNT_CYCLES][0], vcpu.run->count[PV_COUNT_GUEST_TSC][0]);
	}
	vcpu_stop(&vcpu);
}

/* Counters that have hooks: published while wanted, frozen or not, and their alarms ask for a look. The
 * breakpoint watches for nothing: the test plays its hook. */
static void alarm_of_events(void)
{
	enum { COUNTER = PV_COUNT_BREAKPOINT + 2 };
	struct vcpu vcpu;
	uint64_t before;

	vcpu_start(&vcpu, false, false, 0);
	vcpu_begin(&vcpu, GUEST_LABEL(guest_calls));
	count_event(&vcpu.engine->cpu, COUNTER, 5);
	alarm_arm(&vcpu, COUNTER, ALL_LEVELS, 7);
	vcpu.run->wanted = 1u << COUNTER;
	vcpu_resume(&vcpu, 0);
	CHECK(vcpu_is_at(&vcpu, CALL_POINT));
	CHECK_EQ(vcpu_sum(&vcpu, COUNTER, ALL_LEVELS), 5);
	CHECK_EQ(vcpu_sum(&vcpu, COUNTER + 1, ALL_LEVELS), 0);
	before = vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS);
	count_event(&vcpu.engine->cpu, COUNTER, 2);
	CHECK_EQ(vcpu_resume(&vcpu, 0), PV_EXIT_OVERFLOW);
	CHECK_EQ(vcpu_sum(&vcpu, COUNTER, ALL_LEVELS), 7);
	CHECK_EQ(vcpu_sum(&vcpu, COUNTER, 1 << PV_CPL_USER), 0);
	CHECK(vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS) <= before + 3);
	alarm_arm(&vcpu, COUNTER, 1 << PV_CPL_USER, 1); /* not of this level */
	count_event(&vcpu.engine->cpu, COUNTER, 2);
	for (unsigned i = 0; i < 9; i++) {
		vcpu_resume(&vcpu, 0);
		CHECK(vcpu_is_at(&vcpu, CALL_POINT));
	}
	CHECK_EQ(vcpu_sum(&vcpu, COUNTER, ALL_LEVELS), 9);
	vcpu_resume(&vcpu, 0);
	CHECK(vcpu_is_at(&vcpu, CALL_END));
	vcpu.run->wanted = 0;
	vcpu_stop(&vcpu);
}

/* Between two iterations of a rep, too: each is a boundary, though nothing retires there. */
static void alarm_in_a_rep(void)
{
	enum { COUNTER = PV_COUNT_L1D_STORES, PERIOD = 100 };
	struct vcpu vcpu;
	uint64_t next, overflows = 0;

	vcpu_start(&vcpu, false, false, 0);
	vcpu.run->wanted = 1u << COUNTER;
	vcpu_begin(&vcpu, GUEST_LABEL(guest_stosb));
	next = vcpu_sum(&vcpu, COUNTER, ALL_LEVELS) + PERIOD;
	for (;;) {
		alarm_arm(&vcpu, COUNTER, ALL_LEVELS, next);
		if (vcpu_resume(&vcpu, 0) != PV_EXIT_OVERFLOW)
			break;
		CHECK_EQ(vcpu_sum(&vcpu, COUNTER, ALL_LEVELS), next);
		next += PERIOD;
		overflows++;
	}
	CHECK(vcpu_is_at(&vcpu, CALL_END));
	CHECK_EQ(overflows, 1000 / PERIOD);
	vcpu_stop(&vcpu);
}

/* What an in reaches goes off before the exit of an out in the same block, and the out then exits once. */
static void alarm_before_an_out(void)
{
	struct vcpu vcpu;

	vcpu_start(&vcpu, true, false, 0);
	for (unsigned round = 0; round < 2; round++) {
		uint64_t instructions;

		vcpu_begin(&vcpu, GUEST_LABEL(guest_in_out));
		instructions = vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS);
		alarm_arm(&vcpu, PV_COUNT_CYCLES, ALL_LEVELS, /* with what the vmcall costs, but not the out */
			  vcpu_sum(&vcpu, PV_COUNT_CYCLES, ALL_LEVELS) + 2 * PV_CYCLES_VM_EXIT);
		CHECK_EQ(vcpu_resume(&vcpu, 0), PV_EXIT_OVERFLOW);
		CHECK_EQ(vcpu.run->rip, GUEST_LABEL(guest_in_out_out));
		CHECK_EQ(vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS), instructions + 4);
		alarm_disarm(&vcpu);
		CHECK_EQ(vcpu_resume(&vcpu, 0), PV_EXIT_IO_OUT);
		CHECK_EQ(vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS), instructions + 4);
		vcpu_resume(&vcpu, 0);
		CHECK(vcpu_is_at(&vcpu, CALL_END));
		CHECK_EQ(vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS), instructions + 7);
	}
	vcpu_stop(&vcpu);
}

/* Where cores do not agree on the time-stamp counter, a vCPU that changes its core finds it behind. */
static void alarm_time_is_never_earlier(void)
{
	enum { A_SECOND_OR_SO = 2000000000 };
	struct vcpu vcpu;
	uint64_t before;

	for (unsigned cycles_tsc = 0; cycles_tsc < 2; cycles_tsc++) {
		vcpu_start(&vcpu, false, cycles_tsc, 0);
		vcpu_begin(&vcpu, GUEST_LABEL(guest_long));
		for (unsigned counter = PV_COUNT_CYCLES; counter <= PV_COUNT_GUEST_TSC; counter++) {
			before = vcpu.engine->cpu.count.total[counter][PV_CPL_KERNEL];
			vcpu.engine->cpu.count.tsc_start += A_SECOND_OR_SO;
			count_fold(&vcpu.engine->cpu);
			CHECK(vcpu.engine->cpu.count.total[counter][PV_CPL_KERNEL] >= before);
		}
		vcpu_run_to(&vcpu, CALL_END);
		vcpu_stop(&vcpu);
	}
}

const struct named_test alarm_tests[] = {
	{ "alarm_points_are_blocks", alarm_points_are_blocks, false },
	{ "alarm_distances", alarm_distances, false },
	{ "alarm_distances_with_oracle", alarm_distances_with_oracle, false },
	{ "alarm_in_cold_code", alarm_in_cold_code, false },
	{ "alarm_left_alone", alarm_left_alone, false },
	{ "alarm_periods", alarm_periods, false },
	{ "alarm_of_time", alarm_of_time, false },
	{ "alarm_time_is_never_earlier", alarm_time_is_never_earlier, false },
	{ "alarm_without_penalties", alarm_without_penalties, false },
	{ "alarm_of_events", alarm_of_events, false },
	{ "alarm_in_a_rep", alarm_in_a_rep, false },
	{ "alarm_before_an_out", alarm_before_an_out, false },
	{ 0 },
};
