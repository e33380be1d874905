/* SPDX-License-Identifier: GPL-2.0-only */
/* NMIs of the agent: that the guest cannot tell. */
#include "engine_agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/run/state.h"
#include "engine/unicorn/registers.h"

enum { SEEN_COUNTERS = PV_COUNT_CYCLES + 1, SEEN_BYTES = 0x20000 };

/* Everything that the guest can tell, at one of its hypercalls. */
struct seen {
	uint64_t rip, rflags;
	uint64_t count[SEEN_COUNTERS][PV_CPLS];
	uint8_t memory[SEEN_BYTES];
	size_t cpu_bytes;
	uint8_t cpu[16384];
};

static struct seen with, without;

/*
 * All of Unicorn's CPU, but for what is no state: its header and the host address at the
 * end, and the flags as it keeps them, from which they are made when they are asked for.
 */
static void see_cpu(struct pv_engine *e, struct seen *seen)
{
	enum { HEADER = 64, TAIL = 8, FLAGS_BEFORE_HFLAGS = 40, FLAGS_BYTES = 36 };

	uc_context_save(e->cpu.uc, e->cpu.hidden.context);
	seen->cpu_bytes = uc_context_size(e->cpu.uc) - HEADER - TAIL;
	if (seen->cpu_bytes > sizeof(seen->cpu))
		abort();
	memcpy(seen->cpu, (uint8_t *)e->cpu.hidden.context + HEADER, seen->cpu_bytes);
	memset(seen->cpu + e->cpu.hidden.hflags - HEADER - FLAGS_BEFORE_HFLAGS, 0, FLAGS_BYTES);
	seen->rflags = reg_get(e->cpu.uc, UC_X86_REG_EFLAGS);
}

static void see(struct vcpu *vcpu, struct seen *seen)
{
	memset(seen, 0, sizeof(*seen));
	see_cpu(vcpu->engine, seen);
	seen->rip = vcpu->run->rip;
	for (unsigned counter = 0; counter < SEEN_COUNTERS; counter++)
		for (unsigned cpl = 0; cpl < PV_CPLS; cpl++)
			seen->count[counter][cpl] = vcpu->run->count[counter][cpl];
	memcpy(seen->memory, vcpu->ram + GUEST_DATA, SEEN_BYTES);
}

static void check_same(const char *name, const struct seen *a, const struct seen *b, const struct seen *a0,
		       const struct seen *b0)
{
	CHECK_EQ(a->rip, b->rip);
	CHECK_EQ(a->rflags, b->rflags);
	CHECK(!memcmp(a->memory, b->memory, SEEN_BYTES));
	for (unsigned counter = 0; counter < SEEN_COUNTERS; counter++)
		for (unsigned cpl = 0; cpl < PV_CPLS; cpl++)
			CHECK_EQ(a->count[counter][cpl] - a0->count[counter][cpl],
				 b->count[counter][cpl] - b0->count[counter][cpl]);
	for (size_t i = 0; i < a->cpu_bytes; i += 8)
		if (memcmp(a->cpu + i, b->cpu + i, 8)) {
			fprintf(stderr, "%s: the CPU differs at byte %zu\n", name, i);
			CHECK(!"the same CPU");
			break;
		}
}

/* With an NMI of the agent's at every point at which an alarm each `period` instructions leaves. */
static uint64_t agent_each(struct vcpu *vcpu, uint64_t end, uint64_t period)
{
	uint64_t nmis = 0, time = 0;

	for (;;) {
		const struct pv_agent_frame *frame = (const void *)(vcpu->ram + AGENT_FRAME);
		uint64_t rip = vcpu->run->rip;
		uint32_t cpl = vcpu->run->cpl;
		bool inject = vcpu->run->exit_reason == PV_EXIT_OVERFLOW;

		alarm_arm(vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS,
			  vcpu_sum(vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS) + period);
		vcpu_resume(vcpu, inject ? PV_INJECT_AGENT_NMI : 0);
		if (inject) {
			nmis++;
			CHECK(vcpu_is_at(vcpu, CALL_POINT)); /* the agent's */
			CHECK_EQ(vcpu->run->retire[PV_COUNT_INSTRUCTIONS], 0);
			CHECK_EQ(*vcpu_word(vcpu, AGENT_NMIS), nmis);
			check_frame(vcpu, rip, cpl);
			CHECK(frame->time_ns > time);
			time = frame->time_ns;
			vcpu_resume(vcpu, 0);
		}
		if (vcpu_is_at(vcpu, end))
			return nmis;
	}
}

static void transparent(const struct guest *guest, uint64_t end, bool oracle, uint64_t most)
{
	static struct seen start_without, start_with;
	struct vcpu vcpu;

	vcpu_start(&vcpu, oracle, false, AGENT_LABEL(agent_spoiling));
	vcpu_begin(&vcpu, guest->label); /* leaves behind what the guest itself does to a CPU */
	vcpu_run_to(&vcpu, end);
	memset(vcpu.ram + GUEST_DATA, 0, SEEN_BYTES);
	vcpu_begin(&vcpu, guest->label);
	see(&vcpu, &start_without);
	vcpu_run_to(&vcpu, end);
	see(&vcpu, &without);
	for (uint64_t period = 1; period <= most; period++) {
		memset(vcpu.ram + GUEST_DATA, 0, SEEN_BYTES);
		*vcpu_word(&vcpu, AGENT_NMIS) = 0;
		vcpu_begin(&vcpu, guest->label);
		see(&vcpu, &start_with);
		CHECK(agent_each(&vcpu, end, period) > 2);
		see(&vcpu, &with);
		check_same(guest->name, &with, &without, &start_with, &start_without);
	}
	CHECK_EQ(vcpu.run->nmis, 0);
	vcpu_stop(&vcpu);
}

/* The agent spoils all registers that there are. */
static void agent_is_transparent(void)
{
	for (const struct guest *guest = guests(); guest->name; guest++)
		if (guest->label != GUEST_LABEL(guest_calls) && guest->label != GUEST_LABEL(guest_io))
			transparent(guest, CALL_END, false, 4);
}

static void agent_is_transparent_to_the_oracle(void)
{
	for (const struct guest *guest = guests(); guest->name; guest++)
		if (guest->label != GUEST_LABEL(guest_calls) && guest->label != GUEST_LABEL(guest_io))
			transparent(guest, CALL_END, true, 2);
}

/* SSE, x87, MXCSR, MSRs, segment bases, flags. */
static void agent_restores_everything(void)
{
	const struct guest guest = { "state", GUEST_LABEL(guest_state) };
	static struct seen start_without, start_with;
	struct vcpu vcpu;

	vcpu_start(&vcpu, false, false, AGENT_LABEL(agent_spoiling));
	for (unsigned i = 0; i < 3; i++) { /* the first time leaves behind what the guest does to a new CPU */
		memset(vcpu.ram + GUEST_DATA, 0, SEEN_BYTES);
		*vcpu_word(&vcpu, AGENT_NMIS) = 0;
		vcpu_begin(&vcpu, guest.label);
		see(&vcpu, i < 2 ? &start_without : &start_with);
		if (i < 2)
			vcpu_run_to(&vcpu, CALL_END);
		else
			CHECK(agent_each(&vcpu, CALL_END, 997) > 300);
		see(&vcpu, i < 2 ? &without : &with);
	}
	check_same(guest.name, &with, &without, &start_with, &start_without);
	vcpu_stop(&vcpu);
}

/* Each has page tables of its own, and nothing of the other's is left in a TLB. */
static void agent_has_its_own_memory(void)
{
	struct vcpu vcpu;
	uint64_t nmis = 0;

	vcpu_start(&vcpu, false, false, AGENT_LABEL(agent_spoiling));
	*vcpu_word(&vcpu, GUEST_MAPPED) = 1000000007;
	*vcpu_word(&vcpu, 0x200000) = 3;
	vcpu_begin_mapped(&vcpu, GUEST_LABEL(guest_mapped), GUEST_MAPPED, 0x200000);
	for (;;) {
		alarm_arm(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS,
			  vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS) + 50);
		if (vcpu_resume(&vcpu, 0) != PV_EXIT_OVERFLOW)
			break;
		vcpu_resume(&vcpu, PV_INJECT_AGENT_NMI);
		CHECK(vcpu_is_at(&vcpu, CALL_POINT));
		CHECK_EQ(*vcpu_word(&vcpu, AGENT_SAW), 1000000007);
		*vcpu_word(&vcpu, AGENT_SAW) = 0;
		nmis++;
	}
	CHECK(vcpu_is_at(&vcpu, CALL_POINT));
	CHECK_EQ(vcpu.run->arg[1], 3 * 2000); /* RBX */
	CHECK(nmis > 100);
	vcpu_stop(&vcpu);
}

/* The guest has code at the addresses of the agent's, with other instructions to be trapped. */
static void its_own_code(bool trapping, uint64_t boundaries)
{
	struct vcpu vcpu;
	uint64_t shift = AGENT_LABEL(agent_sled) - GUEST_LABEL(guest_locked), nmis = 0, start;

	if (trapping)
		vcpu_start_trapping(&vcpu, AGENT_LABEL(agent_sled));
	else
		vcpu_start(&vcpu, true, false, AGENT_LABEL(agent_sled));
	vcpu_begin(&vcpu, GUEST_LABEL(guest_locked));
	vcpu_run_to(&vcpu, CALL_END);
	CHECK_EQ(vcpu.run->locked_trapped, trapping ? vcpu.run->locked_ops : 0);
	/* Its 2 MiB there are others: the guest once more, where the agent's handler is in the agent's. */
	memcpy(vcpu.ram + 0x200000 + (GUEST_LABEL(guest_locked) + shift - AGENT_BASE),
	       vcpu.ram + GUEST_LABEL(guest_locked), GUEST_LABEL(guest_io) - GUEST_LABEL(guest_locked));
	for (unsigned i = 0; i < 8; i++) {
		*vcpu_word(&vcpu, GUEST_DATA) = 0;
		vcpu_begin(&vcpu, GUEST_LABEL(guest_straight));
		vcpu_resume(&vcpu, 0);
		CHECK(vcpu_is_at(&vcpu, CALL_END));
		vcpu_begin_mapped(&vcpu, GUEST_LABEL(guest_locked) + shift, AGENT_BASE, 0x200000);
		start = vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS);
		nmis = 0;
		for (;;) {
			alarm_arm(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS,
				  vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS) + 1);
			if (vcpu_resume(&vcpu, 0) != PV_EXIT_OVERFLOW)
				break;
			vcpu_resume(&vcpu, PV_INJECT_AGENT_NMI);
			CHECK(vcpu_is_at(&vcpu, CALL_POINT));
			nmis++;
		}
		CHECK(vcpu_is_at(&vcpu, CALL_END));
		CHECK_EQ(*vcpu_word(&vcpu, GUEST_DATA), 8);
		CHECK_EQ(*vcpu_word(&vcpu, 0), 0); /* where the agent's RDI points to */
		CHECK_EQ(vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS) - start, 1 + 2 + 8 * 7 + 1);
		CHECK(nmis >= boundaries);
	}
	vcpu_stop(&vcpu);
}

static void agent_has_its_own_code(void)
{
	its_own_code(false, 2 * 8);
	its_own_code(true, 4 * 8);
}

static uint64_t random_next(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

/* Both kinds, alarms of every kind and the doorbell, at random: the guest counts what it counts alone. */
static void random_injections(const struct guest *guest, uint64_t *state, uint64_t *nmis, uint64_t *agent_nmis)
{
	static struct seen start_with, start_without;
	struct vcpu vcpu;

	vcpu_start(&vcpu, true, false, AGENT_LABEL(agent_spoiling));
	vcpu_begin(&vcpu, guest->label);
	see(&vcpu, &start_without);
	vcpu_run_to(&vcpu, CALL_END);
	see(&vcpu, &without);
	for (unsigned round = 0; round < 10; round++) {
		vcpu_begin(&vcpu, guest->label);
		see(&vcpu, &start_with);
		do {
			unsigned counter = random_next(state) % SEEN_COUNTERS, levels = 1 + random_next(state) % ALL_LEVELS;

			alarm_arm(&vcpu, counter, levels,
				  vcpu_sum(&vcpu, counter, levels) + 1 + random_next(state) % 20);
			if (!(random_next(state) % 8))
				handover_ring(&vcpu.run->bell);
			vcpu_resume(&vcpu, random_next(state) % (2 * (PV_INJECT_NMI | PV_INJECT_AGENT_NMI)));
		} while (!vcpu_is_at(&vcpu, CALL_END));
		see(&vcpu, &with);
		CHECK_EQ(with.rip, without.rip);
		for (unsigned counter = 0; counter < SEEN_COUNTERS; counter++)
			for (unsigned cpl = 0; cpl < PV_CPLS; cpl++)
				CHECK_EQ(with.count[counter][cpl] - start_with.count[counter][cpl],
					 without.count[counter][cpl] - start_without.count[counter][cpl]);
	}
	CHECK_EQ(*vcpu_word(&vcpu, NMIS), vcpu.run->nmis);
	CHECK_EQ(*vcpu_word(&vcpu, AGENT_NMIS), vcpu.run->agent_nmis);
	*nmis += vcpu.run->nmis;
	*agent_nmis += vcpu.run->agent_nmis;
	vcpu_stop(&vcpu);
}

static void agent_at_random(void)
{
	uint64_t state = 1, nmis = 0, agent_nmis = 0;

	for (unsigned i = 0; i < 5; i++)
		for (const struct guest *guest = guests(); guest->name; guest++)
			random_injections(guest, &state, &nmis, &agent_nmis);
	CHECK(nmis > 1000 && agent_nmis > 1000);
}

/* All that the guest has of its memory, and how it ended. */
struct outcome {
	uint32_t reason, exits;
	uint64_t arg[4];
	char text[512];
	uint8_t low[GUEST_DATA + SEEN_BYTES];
};

/* A guest that tries something with `address`, which it finds in its first word of data. */
static void reach(uint64_t label, uint64_t address, bool agent, struct outcome *ret)
{
	static uint8_t before[RAM_BYTES - AGENT_BASE];
	enum { PLENTY = 100 };
	struct vcpu vcpu;

	memset(ret, 0, sizeof(*ret));
	vcpu_start(&vcpu, false, false, agent ? AGENT_LABEL(agent_trivial) : 0);
	vcpu.may_shut_down = true;
	for (uint64_t at = AGENT_DATA; at < RAM_BYTES; at += 8) /* what would be sound page table entries, or gates */
		*vcpu_word(&vcpu, at) = GUEST_DATA | 0x23;
	memcpy(before, vcpu.ram + AGENT_BASE, sizeof(before));
	vcpu_begin(&vcpu, label);
	*vcpu_word(&vcpu, GUEST_DATA) = address;
	do {
		vcpu_resume(&vcpu, 0);
	} while (++ret->exits < PLENTY && vcpu.run->exit_reason != PV_EXIT_SHUTDOWN && !vcpu_is_at(&vcpu, CALL_END));
	ret->reason = vcpu.run->exit_reason;
	memcpy(ret->arg, vcpu.run->arg, sizeof(ret->arg));
	memcpy(ret->text, vcpu.run->text, sizeof(ret->text));
	memcpy(ret->low, vcpu.ram, sizeof(ret->low));
	CHECK(!memcmp(before, vcpu.ram + AGENT_BASE, sizeof(before)));
	vcpu_stop(&vcpu);
}

/* Neither read nor written nor executed, whatever the guest's tables say: with an agent all ends as where RAM ends. */
static void agent_out_of_reach(void)
{
	static const uint64_t addresses[] = { AGENT_BASE, AGENT_FRAME, AGENT_DATA, RAM_BYTES - 4096 };
	static struct outcome with_it, without_it;
	unsigned shut_down = 0, tried = 0;

	for (const struct guest *guest = reaching_guests(); guest->name; guest++)
		for (unsigned i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
			reach(guest->label, addresses[i], true, &with_it);
			reach(guest->label, addresses[i], false, &without_it);
			if (memcmp(&with_it, &without_it, sizeof(with_it))) {
				fprintf(stderr, "%s: reaches 0x%llx: %s\n", guest->name, (unsigned long long)addresses[i], with_it.text);
				CHECK(!"the same without an agent");
			}
			shut_down += with_it.reason == PV_EXIT_SHUTDOWN;
			tried++;
		}
	CHECK(shut_down > tried / 2);
}

const struct named_test agent_tests[] = {
	{ "agent_is_transparent", agent_is_transparent, false },
	{ "agent_is_transparent_to_the_oracle", agent_is_transparent_to_the_oracle, false },
	{ "agent_restores_everything", agent_restores_everything, false },
	{ "agent_has_its_own_memory", agent_has_its_own_memory, false },
	{ "agent_has_its_own_code", agent_has_its_own_code, false },
	{ "agent_out_of_reach", agent_out_of_reach, false },
	{ "agent_at_random", agent_at_random, false },
	{ 0 },
};
