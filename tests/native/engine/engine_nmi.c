/* SPDX-License-Identifier: GPL-2.0-only */
/* NMIs of the guest: where they land, what blocks them, and that they count nothing. */
#include "engine_test.h"

#include <stdio.h>
#include <string.h>

enum { COUNTERS = PV_COUNT_CYCLES + 1, ALL_LEVELS = 3 };
enum { NMIS = GUEST_DATA + 0x800, LANDED = GUEST_DATA + 0x808, NMI_RSP = GUEST_DATA + 0x810 };

struct counts {
	uint64_t count[COUNTERS][PV_CPLS];
};

static struct counts counts_now(const struct vcpu *vcpu)
{
	struct counts counts;

	memcpy(&counts, vcpu->run->count, sizeof(counts));
	return counts;
}

static bool counts_differ(struct counts now, struct counts start, const struct counts *expected)
{
	for (unsigned counter = 0; counter < COUNTERS; counter++)
		for (unsigned cpl = 0; cpl < PV_CPLS; cpl++)
			if (now.count[counter][cpl] - start.count[counter][cpl] != expected->count[counter][cpl])
				return true;
	return false;
}

/* What the guest counts from CALL_START to CALL_END with nothing injected. */
static struct counts count_alone(struct vcpu *vcpu, uint64_t label)
{
	struct counts start, end;

	vcpu_begin(vcpu, label);
	start = counts_now(vcpu);
	vcpu_run_to(vcpu, CALL_END);
	end = counts_now(vcpu);
	for (unsigned counter = 0; counter < COUNTERS; counter++)
		for (unsigned cpl = 0; cpl < PV_CPLS; cpl++)
			end.count[counter][cpl] -= start.count[counter][cpl];
	return end;
}

/* An NMI at every point at which the engine leaves for an alarm each `period` instructions. */
static uint64_t nmi_each(struct vcpu *vcpu, const struct guest *guest, uint64_t period)
{
	uint64_t nmis = 0, rip = 0;
	bool landing = false;

	do {
		bool inject;

		alarm_arm(vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS,
			  vcpu_sum(vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS) + period);
		inject = vcpu->run->exit_reason == PV_EXIT_OVERFLOW;
		nmis += inject;
		rip = vcpu->run->rip;
		vcpu_resume(vcpu, inject ? PV_INJECT_NMI : 0);
		CHECK_EQ(*vcpu_word(vcpu, NMIS), nmis);
		if (inject && *vcpu_word(vcpu, LANDED) != rip && !landing) {
			landing = true;
			fprintf(stderr, "%s: an NMI at 0x%llx lands at 0x%llx\n", guest->name,
				(unsigned long long)rip, (unsigned long long)*vcpu_word(vcpu, LANDED));
			CHECK(!"lands where it came");
		}
	} while (!vcpu_is_at(vcpu, CALL_END));
	return nmis;
}

static void everywhere(const struct guest *guest, bool oracle, unsigned ist)
{
	struct vcpu vcpu;
	struct counts alone, start;
	uint64_t nmis = 0;

	vcpu_start(&vcpu, oracle, false, 0);
	vcpu_gate(&vcpu, 2, GUEST_LABEL(handle_nmi), ist);
	alone = count_alone(&vcpu, guest->label);
	for (uint64_t period = 1; period < 8; period++) {
		*vcpu_word(&vcpu, NMIS) = 0;
		vcpu_begin(&vcpu, guest->label);
		start = counts_now(&vcpu);
		nmis += nmi_each(&vcpu, guest, period);
		CHECK(!counts_differ(counts_now(&vcpu), start, &alone));
		CHECK_EQ(vcpu.run->nmis, nmis);
	}
	CHECK(nmis > 5);
	CHECK_EQ(vcpu.run->nmis_coalesced, 0);
	if (ist)
		CHECK_EQ(*vcpu_word(&vcpu, NMI_RSP), GUEST_IST1 - 40 - 8);
	vcpu_stop(&vcpu);
}

static void nmi_everywhere(void)
{
	for (const struct guest *guest = guests(); guest->name; guest++)
		everywhere(guest, false, 0);
}

static void nmi_everywhere_with_oracle(void)
{
	for (const struct guest *guest = guests(); guest->name; guest++)
		everywhere(guest, true, 0);
}

static void nmi_on_a_stack_of_its_own(void)
{
	for (const struct guest *guest = guests(); guest->name; guest++)
		everywhere(guest, false, 1);
}

/* The handler's hypercalls, too, retire nothing, and leave with the counts as they stood. */
static void nmi_freezes_exits(void)
{
	struct vcpu vcpu;
	struct counts alone, start, frozen;

	vcpu_start(&vcpu, true, false, 0);
	vcpu_gate(&vcpu, 2, GUEST_LABEL(handle_nmi_calling), 0);
	alone = count_alone(&vcpu, GUEST_LABEL(guest_user));
	vcpu_begin(&vcpu, GUEST_LABEL(guest_user));
	start = counts_now(&vcpu);
	for (;;) {
		uint64_t tsc;

		alarm_arm(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS,
			  vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS) + 1);
		vcpu_resume(&vcpu, 0);
		if (vcpu_is_at(&vcpu, CALL_END))
			break;
		frozen = counts_now(&vcpu);
		tsc = vcpu.run->count[PV_COUNT_GUEST_TSC][0];
		vcpu.run->armed = (1ull << (PV_COUNT_CYCLES + 1) * PV_ALARM_LEVELS) - 1; /* all of them, reached */
		vcpu_resume(&vcpu, PV_INJECT_NMI);
		CHECK(vcpu_is_at(&vcpu, CALL_POINT));
		CHECK(!memcmp(frozen.count, vcpu.run->count, sizeof(frozen.count)));
		CHECK(vcpu.run->count[PV_COUNT_GUEST_TSC][0] > tsc);
		for (unsigned counter = 0; counter < PV_COUNTS_AT_EXIT; counter++)
			CHECK_EQ(vcpu.run->retire[counter], 0);
	}
	CHECK(!counts_differ(counts_now(&vcpu), start, &alone));
	vcpu_stop(&vcpu);
}

/* One in service, one latched, the others coalesce with it. */
static void nmi_latch(void)
{
	struct vcpu vcpu;
	uint64_t rip;

	vcpu_start(&vcpu, true, false, 0);
	vcpu_gate(&vcpu, 2, GUEST_LABEL(handle_nmi_calling), 0);
	vcpu_begin(&vcpu, GUEST_LABEL(guest_user));
	alarm_arm(&vcpu, PV_COUNT_INSTRUCTIONS, 1 << PV_CPL_USER, vcpu.run->count[PV_COUNT_INSTRUCTIONS][1] + 7);
	while (vcpu_resume(&vcpu, 0) != PV_EXIT_OVERFLOW)
		CHECK(!vcpu_is_at(&vcpu, CALL_END));
	alarm_disarm(&vcpu);
	rip = vcpu.run->rip;
	CHECK_EQ(vcpu.run->cpl, PV_CPL_USER);
	vcpu_resume(&vcpu, PV_INJECT_NMI);
	CHECK_EQ(*vcpu_word(&vcpu, NMIS), 1);
	CHECK_EQ(*vcpu_word(&vcpu, GUEST_RSP0 - 40), rip);
	handover_ring(&vcpu.run->bell);
	CHECK_EQ(vcpu_resume(&vcpu, PV_INJECT_NMI), PV_EXIT_KICK);
	CHECK_EQ(vcpu.run->nmis, 1);
	handover_ring(&vcpu.run->bell);
	CHECK_EQ(vcpu_resume(&vcpu, PV_INJECT_NMI), PV_EXIT_KICK);
	*vcpu_word(&vcpu, GUEST_RSP0 - 40 - 64) = 0;
	vcpu_resume(&vcpu, PV_INJECT_NMI);
	CHECK(vcpu_is_at(&vcpu, CALL_POINT)); /* the handler again, before anything else */
	CHECK_EQ(*vcpu_word(&vcpu, NMIS), 2);
	CHECK_EQ(*vcpu_word(&vcpu, GUEST_RSP0 - 40), rip);
	CHECK_EQ(vcpu.run->nmis, 2);
	CHECK_EQ(vcpu.run->nmis_coalesced, 2);
	vcpu_run_to(&vcpu, CALL_END);
	CHECK_EQ(*vcpu_word(&vcpu, NMIS), 2);
	vcpu_stop(&vcpu);
}

/* What an NMI adds to the counts when its handler is this one. */
static void counted_of(uint64_t handler, uint64_t instructions, uint64_t branches)
{
	struct vcpu vcpu;
	struct counts alone, start;

	vcpu_start(&vcpu, true, false, 0);
	vcpu_gate(&vcpu, 2, handler, 0);
	alone = count_alone(&vcpu, GUEST_LABEL(guest_loop));
	alone.count[PV_COUNT_INSTRUCTIONS][0] += instructions;
	alone.count[PV_COUNT_CYCLES][0] += instructions;
	alone.count[PV_COUNT_BRANCHES][0] += branches;
	vcpu_begin(&vcpu, GUEST_LABEL(guest_loop));
	start = counts_now(&vcpu);
	alarm_arm(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS, vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS) + 20);
	CHECK_EQ(vcpu_resume(&vcpu, 0), PV_EXIT_OVERFLOW);
	alarm_disarm(&vcpu);
	vcpu_resume(&vcpu, PV_INJECT_NMI);
	CHECK(vcpu_is_at(&vcpu, CALL_END));
	CHECK_EQ(*vcpu_word(&vcpu, NMIS), 1);
	CHECK(!counts_differ(counts_now(&vcpu), start, &alone));
	vcpu_stop(&vcpu);
}

/* Any iret ends the NMI: what follows a nested one counts, and so does what follows one that faults. */
static void nmi_ends_at_the_first_iret(void)
{
	counted_of(GUEST_LABEL(handle_nmi), 0, 0);
	counted_of(GUEST_LABEL(handle_nmi_nested), 4, 1);
	counted_of(GUEST_LABEL(handle_nmi_faulting), 6 + 1, 2);
	counted_of(GUEST_LABEL(handle_nmi_touching), 2, 1);
}

static void nmi_wakes_hlt(void)
{
	struct vcpu vcpu;

	vcpu_start(&vcpu, true, false, 0);
	vcpu_begin(&vcpu, GUEST_LABEL(guest_hlt));
	CHECK_EQ(vcpu_resume(&vcpu, 0), PV_EXIT_HLT);
	vcpu_resume(&vcpu, PV_INJECT_NMI);
	CHECK(vcpu_is_at(&vcpu, CALL_END));
	CHECK_EQ(*vcpu_word(&vcpu, NMIS), 1);
	CHECK_EQ(*vcpu_word(&vcpu, LANDED), GUEST_LABEL(guest_behind_hlt));
	vcpu_stop(&vcpu);
}

/* One that waits behind an sti or a mov to ss ends the hlt in its shadow: the host knows of it no more. */
static void nmi_ends_hlt_in_a_shadow(void)
{
	const uint64_t behind[] = { GUEST_LABEL(guest_behind_sti_hlt), GUEST_LABEL(guest_behind_ss_hlt) };
	struct vcpu vcpu;
	struct counts start, now;

	vcpu_start(&vcpu, true, false, 0);
	vcpu_begin(&vcpu, GUEST_LABEL(guest_sti_hlt));
	vcpu_run_to(&vcpu, CALL_POINT);
	for (unsigned i = 0; i < 2; i++) {
		start = counts_now(&vcpu);
		alarm_arm(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS, vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS) + 2);
		CHECK_EQ(vcpu_resume(&vcpu, 0), PV_EXIT_OVERFLOW);
		alarm_disarm(&vcpu);
		CHECK_EQ(vcpu_resume(&vcpu, PV_INJECT_NMI), PV_EXIT_HYPERCALL);
		CHECK_EQ(*vcpu_word(&vcpu, NMIS), i + 1);
		CHECK_EQ(*vcpu_word(&vcpu, LANDED), behind[i]);
		now = counts_now(&vcpu); /* the hypercall, sti or mov, hlt, cli or nop, mov */
		CHECK_EQ(now.count[PV_COUNT_INSTRUCTIONS][0] - start.count[PV_COUNT_INSTRUCTIONS][0], 5);
		CHECK_EQ(now.count[PV_COUNT_CYCLES][0] - start.count[PV_COUNT_CYCLES][0], 5 + 2 * PV_CYCLES_VM_EXIT);
	}
	vcpu_stop(&vcpu);
}

static void nmi_waits_behind_mov_ss(void)
{
	struct vcpu vcpu;

	vcpu_start(&vcpu, true, false, 0);
	vcpu_begin(&vcpu, GUEST_LABEL(guest_shadow));
	vcpu_run_to(&vcpu, CALL_POINT);
	alarm_arm(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS, vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS) + 2);
	CHECK_EQ(vcpu_resume(&vcpu, 0), PV_EXIT_OVERFLOW);
	CHECK_EQ(vcpu.run->rip, GUEST_LABEL(guest_shadow_inside));
	alarm_disarm(&vcpu);
	vcpu_resume(&vcpu, PV_INJECT_NMI);
	CHECK(vcpu_is_at(&vcpu, CALL_END));
	CHECK_EQ(*vcpu_word(&vcpu, NMIS), 1);
	CHECK_EQ(*vcpu_word(&vcpu, LANDED), GUEST_LABEL(guest_shadow_end));
	vcpu_stop(&vcpu);
}

/* The answer to an exit in the midst of rep outs: between two iterations. */
static void nmi_in_rep_outs(void)
{
	struct vcpu vcpu;
	struct counts alone, start;
	unsigned outs = 0;

	vcpu_start(&vcpu, true, false, 0);
	alone = count_alone(&vcpu, GUEST_LABEL(guest_outs));
	vcpu_begin(&vcpu, GUEST_LABEL(guest_outs));
	start = counts_now(&vcpu);
	while (vcpu_resume(&vcpu, outs ? PV_INJECT_NMI : 0) == PV_EXIT_IO_OUT) {
		CHECK_EQ(*vcpu_word(&vcpu, NMIS), outs);
		CHECK_EQ(vcpu.run->rip, GUEST_LABEL(guest_outs_rep));
		if (outs++)
			CHECK_EQ(*vcpu_word(&vcpu, LANDED), GUEST_LABEL(guest_outs_rep));
	}
	CHECK(vcpu_is_at(&vcpu, CALL_END));
	CHECK_EQ(outs, 4);
	CHECK(!counts_differ(counts_now(&vcpu), start, &alone));
	vcpu_stop(&vcpu);
}

/* The answer to an out in the midst of its block: right behind it, and the rest of the block counts once. */
static void nmi_behind_out(void)
{
	const struct { uint64_t rip, end; } all[] = {
		{ GUEST_LABEL(guest_ports_first), GUEST_LABEL(guest_ports_first_end) },
		{ GUEST_LABEL(guest_ports_second), GUEST_LABEL(guest_ports_second_end) },
		{ GUEST_LABEL(guest_ports_third), GUEST_LABEL(guest_ports_third_end) },
	};
	struct vcpu vcpu;
	struct counts alone, start;

	vcpu_start(&vcpu, true, false, 0);
	alone = count_alone(&vcpu, GUEST_LABEL(guest_ports));
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
			uint64_t nmis = *vcpu_word(&vcpu, NMIS);

			vcpu_begin(&vcpu, GUEST_LABEL(guest_ports));
			start = counts_now(&vcpu);
			do {
				CHECK_EQ(vcpu_resume(&vcpu, 0), PV_EXIT_IO_OUT);
			} while (vcpu.run->rip != all[i].rip && vcpu.run->exit_reason == PV_EXIT_IO_OUT);
			vcpu_resume(&vcpu, PV_INJECT_NMI);
			CHECK_EQ(*vcpu_word(&vcpu, NMIS), nmis + 1);
			CHECK_EQ(*vcpu_word(&vcpu, LANDED), all[i].end);
			if (!vcpu_is_at(&vcpu, CALL_END))
				vcpu_run_to(&vcpu, CALL_END);
			CHECK(!counts_differ(counts_now(&vcpu), start, &alone));
		}
	vcpu_stop(&vcpu);
}

/* A handler whose iret stands behind an out, in one block, with another NMI latched at the out: it ends at its iret. */
static void behind_handlers_out(unsigned ist)
{
	struct vcpu vcpu;
	struct counts alone, start;

	vcpu_start(&vcpu, true, false, 0);
	vcpu_gate(&vcpu, 2, GUEST_LABEL(handle_nmi_exiting), ist);
	alone = count_alone(&vcpu, GUEST_LABEL(guest_loop));
	for (unsigned round = 0; round < 2; round++)
		for (unsigned nmis = 1; nmis < 4; nmis++) {
			uint64_t before = *vcpu_word(&vcpu, NMIS), landed;

			vcpu_begin(&vcpu, GUEST_LABEL(guest_loop));
			start = counts_now(&vcpu);
			for (unsigned i = 1; i <= nmis; i++) {
				CHECK_EQ(vcpu_resume(&vcpu, PV_INJECT_NMI), PV_EXIT_IO_OUT);
				CHECK_EQ(*vcpu_word(&vcpu, NMIS), before + i);
				if (i == 1)
					landed = *vcpu_word(&vcpu, LANDED);
				CHECK_EQ(*vcpu_word(&vcpu, LANDED), landed);
			}
			vcpu_resume(&vcpu, 0);
			CHECK(vcpu_is_at(&vcpu, CALL_END));
			CHECK(!counts_differ(counts_now(&vcpu), start, &alone));
		}
	vcpu_stop(&vcpu);
}

static void nmi_behind_handlers_out(void)
{
	behind_handlers_out(0);
	behind_handlers_out(1);
}

/* What is due to an instruction in front of a hypercall comes before the hypercall. */
static void nmi_before_a_hypercall(void)
{
	struct vcpu vcpu;
	uint64_t before, rip;

	vcpu_start(&vcpu, true, false, 0);
	vcpu_begin(&vcpu, GUEST_LABEL(guest_calls));
	vcpu_run_to(&vcpu, CALL_POINT);
	rip = vcpu.run->rip;
	before = vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS);
	/* The hypercall is one, and the mov in front of the next is another. */
	alarm_arm(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS, before + 2);
	CHECK_EQ(vcpu_resume(&vcpu, 0), PV_EXIT_OVERFLOW);
	CHECK_EQ(vcpu.run->rip, rip + 3 + 5);
	CHECK_EQ(vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS), before + 2);
	vcpu_resume(&vcpu, PV_INJECT_NMI); /* the alarm stays, and is not told of again */
	CHECK(vcpu_is_at(&vcpu, CALL_POINT));
	CHECK_EQ(vcpu.run->rip, rip + 3 + 5);
	CHECK_EQ(*vcpu_word(&vcpu, NMIS), 1);
	CHECK_EQ(*vcpu_word(&vcpu, LANDED), rip + 3 + 5);
	alarm_disarm(&vcpu);
	vcpu_run_to(&vcpu, CALL_END);
	vcpu_stop(&vcpu);
}

/* With the answer to a kick, which the engine serves with the next block charged already. */
static void nmi_after_a_kick(void)
{
	struct vcpu vcpu;
	uint64_t rip = 0;

	vcpu_start(&vcpu, true, false, 0);
	vcpu_begin(&vcpu, GUEST_LABEL(guest_spin));
	vcpu_enter(&vcpu, 0);
	for (unsigned i = 0; i < 200; i++) {
		handover_ring(&vcpu.run->bell);
		CHECK_EQ(vcpu_wait(&vcpu), PV_EXIT_KICK);
		CHECK_EQ(*vcpu_word(&vcpu, NMIS), i);
		if (i)
			CHECK_EQ(*vcpu_word(&vcpu, LANDED), rip);
		rip = vcpu.run->rip;
		vcpu_enter(&vcpu, PV_INJECT_NMI);
	}
	handover_ring(&vcpu.run->bell);
	vcpu_wait(&vcpu);
	vcpu_stop(&vcpu);
}

/* The doorbell is seen in loops that keep the budget from being spent. */
static void nmi_in_any_loop(void)
{
	const uint64_t loops[] = {
		GUEST_LABEL(guest_spin),     GUEST_LABEL(guest_iret_loop),   GUEST_LABEL(guest_syscall_loop),
		GUEST_LABEL(guest_int_loop), GUEST_LABEL(guest_locked_loop),
	};
	struct vcpu vcpu;

	vcpu_start(&vcpu, false, false, 0);
	for (size_t loop = 0; loop < sizeof(loops) / sizeof(loops[0]); loop++) {
		vcpu_begin(&vcpu, loops[loop]);
		*vcpu_word(&vcpu, NMIS) = 0;
		alarm_arm(&vcpu, PV_COUNT_CYCLES, ALL_LEVELS, UINT64_MAX); /* each penalty asks for a look */
		for (unsigned i = 0; i < 20; i++) {
			vcpu_enter(&vcpu, i < 10 ? 0 : PV_INJECT_NMI);
			handover_ring(&vcpu.run->bell);
			CHECK_EQ(vcpu_wait(&vcpu), PV_EXIT_KICK);
		}
		/* The last was perhaps not yet delivered when the bell rang. */
		CHECK(*vcpu_word(&vcpu, NMIS) > 0);
	}
	vcpu_stop(&vcpu);
}

/* Cycles that come from the time-stamp counter stand still, too; the counter itself does not. */
static void nmi_freezes_cycles_of_time(void)
{
	struct vcpu vcpu;
	uint64_t cycles, tsc;

	vcpu_start(&vcpu, false, true, 0);
	vcpu_gate(&vcpu, 2, GUEST_LABEL(handle_nmi_calling), 0);
	vcpu_begin(&vcpu, GUEST_LABEL(guest_loop));
	vcpu_resume(&vcpu, PV_INJECT_NMI);
	CHECK(vcpu_is_at(&vcpu, CALL_POINT));
	cycles = vcpu.run->count[PV_COUNT_CYCLES][0];
	tsc = vcpu.run->count[PV_COUNT_GUEST_TSC][0];
	handover_ring(&vcpu.run->bell);
	CHECK_EQ(vcpu_resume(&vcpu, PV_INJECT_NMI), PV_EXIT_KICK); /* still in the handler */
	CHECK_EQ(vcpu.run->count[PV_COUNT_CYCLES][0], cycles);
	CHECK(vcpu.run->count[PV_COUNT_GUEST_TSC][0] > tsc);
	vcpu_resume(&vcpu, 0);
	CHECK(vcpu_is_at(&vcpu, CALL_POINT));
	vcpu_resume(&vcpu, 0);
	CHECK(vcpu_is_at(&vcpu, CALL_END));
	CHECK(vcpu.run->count[PV_COUNT_CYCLES][0] > cycles);
	CHECK(vcpu.run->count[PV_COUNT_CYCLES][0] < vcpu.run->count[PV_COUNT_GUEST_TSC][0]);
	vcpu_stop(&vcpu);
}

/* Two million instructions are that, whatever comes in between. */
static void nmi_a_long_way(void)
{
	const struct guest guest = { "long", GUEST_LABEL(guest_long) };
	struct vcpu vcpu;
	struct counts alone, start;

	vcpu_start(&vcpu, false, false, 0);
	alone = count_alone(&vcpu, guest.label);
	CHECK_EQ(alone.count[PV_COUNT_INSTRUCTIONS][0], 2000003);
	vcpu_begin(&vcpu, guest.label);
	start = counts_now(&vcpu);
	CHECK_EQ(nmi_each(&vcpu, &guest, 997), 2000003 / 1000);
	CHECK(!counts_differ(counts_now(&vcpu), start, &alone));
	vcpu_stop(&vcpu);
}

const struct named_test nmi_tests[] = {
	{ "nmi_everywhere", nmi_everywhere, false },
	{ "nmi_everywhere_with_oracle", nmi_everywhere_with_oracle, false },
	{ "nmi_on_a_stack_of_its_own", nmi_on_a_stack_of_its_own, false },
	{ "nmi_freezes_exits", nmi_freezes_exits, false },
	{ "nmi_latch", nmi_latch, false },
	{ "nmi_ends_at_the_first_iret", nmi_ends_at_the_first_iret, false },
	{ "nmi_wakes_hlt", nmi_wakes_hlt, false },
	{ "nmi_ends_hlt_in_a_shadow", nmi_ends_hlt_in_a_shadow, false },
	{ "nmi_waits_behind_mov_ss", nmi_waits_behind_mov_ss, false },
	{ "nmi_in_rep_outs", nmi_in_rep_outs, false },
	{ "nmi_behind_out", nmi_behind_out, false },
	{ "nmi_behind_handlers_out", nmi_behind_handlers_out, false },
	{ "nmi_before_a_hypercall", nmi_before_a_hypercall, false },
	{ "nmi_after_a_kick", nmi_after_a_kick, false },
	{ "nmi_in_any_loop", nmi_in_any_loop, false },
	{ "nmi_freezes_cycles_of_time", nmi_freezes_cycles_of_time, false },
	{ "nmi_a_long_way", nmi_a_long_way, false },
	{ 0 },
};
