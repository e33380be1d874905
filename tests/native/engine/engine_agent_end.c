/* SPDX-License-Identifier: GPL-2.0-only */
/* NMIs of the agent: what they wait for, and how they end. */
#include "engine_agent.h"

#include <errno.h>
#include <string.h>

#include "engine/run/state.h"
#include "engine/unicorn/registers.h"

void check_frame(struct vcpu *vcpu, uint64_t rip, uint32_t cpl)
{
	const struct pv_agent_frame *frame = (const void *)(vcpu->ram + AGENT_FRAME);

	CHECK_EQ(frame->rip, rip);
	CHECK_EQ(frame->cs & 3, cpl == PV_CPL_USER ? 3 : 0);
	CHECK_EQ(frame->cr3, 0x2000);
	CHECK(frame->rflags & 2);
	CHECK(frame->rsp >= GUEST_DATA && frame->rsp <= GUEST_IST1);
}

static void begin_loop(struct vcpu *vcpu)
{
	vcpu_begin(vcpu, GUEST_LABEL(guest_loop));
	alarm_arm(vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS, vcpu_sum(vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS) + 50);
	CHECK_EQ(vcpu_resume(vcpu, 0), PV_EXIT_OVERFLOW);
	alarm_disarm(vcpu);
}

/* The guest's waits for the agent's to end, and is then delivered where the guest was. */
static void agent_first(void)
{
	struct vcpu vcpu;
	uint64_t rip;

	for (unsigned at_once = 0; at_once < 2; at_once++) {
		vcpu_start(&vcpu, true, false, AGENT_LABEL(agent_spoiling));
		begin_loop(&vcpu);
		rip = vcpu.run->rip;
		vcpu_resume(&vcpu, PV_INJECT_AGENT_NMI | (at_once ? PV_INJECT_NMI : 0));
		CHECK(vcpu_is_at(&vcpu, CALL_POINT));
		CHECK_EQ(vcpu.run->nmis, 0);
		CHECK_EQ(*vcpu_word(&vcpu, AGENT_NMIS), 1);
		check_frame(&vcpu, rip, PV_CPL_KERNEL);
		vcpu_resume(&vcpu, at_once ? 0 : PV_INJECT_NMI);
		CHECK(vcpu_is_at(&vcpu, CALL_END));
		CHECK_EQ(*vcpu_word(&vcpu, NMIS), 1);
		CHECK_EQ(*vcpu_word(&vcpu, LANDED), rip);
		vcpu_stop(&vcpu);
	}
}

/* In the guest's handler: that goes on as if nothing had been, still in service. */
static void agent_in_a_guest_nmi(void)
{
	struct vcpu vcpu;
	uint64_t count, rip;

	vcpu_start(&vcpu, true, false, AGENT_LABEL(agent_spoiling));
	vcpu_gate(&vcpu, 2, GUEST_LABEL(handle_nmi_calling), 0);
	begin_loop(&vcpu);
	count = vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS);
	vcpu_resume(&vcpu, PV_INJECT_NMI);
	CHECK_EQ(*vcpu_word(&vcpu, NMIS), 1);
	rip = vcpu.run->rip;
	vcpu_resume(&vcpu, PV_INJECT_AGENT_NMI);
	CHECK_EQ(*vcpu_word(&vcpu, AGENT_NMIS), 1);
	check_frame(&vcpu, rip + 3, PV_CPL_KERNEL);
	handover_ring(&vcpu.run->bell);
	CHECK_EQ(vcpu_resume(&vcpu, PV_INJECT_NMI), PV_EXIT_KICK); /* between the two */
	CHECK_EQ(vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS), count);
	CHECK_EQ(vcpu.run->nmis, 1);
	vcpu_resume(&vcpu, 0); /* the handler again, for what was latched */
	CHECK(vcpu_is_at(&vcpu, CALL_POINT));
	CHECK_EQ(*vcpu_word(&vcpu, NMIS), 2);
	CHECK_EQ(*vcpu_word(&vcpu, AGENT_NMIS), 1);
	CHECK_EQ(vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS), count);
	vcpu_resume(&vcpu, 0);
	CHECK(vcpu_is_at(&vcpu, CALL_END));
	vcpu_stop(&vcpu);
}

static void agent_latch(void)
{
	struct vcpu vcpu;

	vcpu_start(&vcpu, true, false, AGENT_LABEL(agent_spoiling));
	begin_loop(&vcpu);
	vcpu_resume(&vcpu, PV_INJECT_AGENT_NMI);
	CHECK_EQ(*vcpu_word(&vcpu, AGENT_NMIS), 1);
	handover_ring(&vcpu.run->bell);
	CHECK_EQ(vcpu_resume(&vcpu, PV_INJECT_AGENT_NMI), PV_EXIT_KICK);
	vcpu_resume(&vcpu, PV_INJECT_AGENT_NMI);
	CHECK(vcpu_is_at(&vcpu, CALL_POINT));
	CHECK_EQ(*vcpu_word(&vcpu, AGENT_NMIS), 2);
	vcpu_resume(&vcpu, 0);
	CHECK(vcpu_is_at(&vcpu, CALL_END));
	CHECK_EQ(vcpu.run->agent_nmis, 2);
	vcpu_stop(&vcpu);
}

/* A host that wants the vCPU gets it, and may send it elsewhere for good. */
static void agent_that_never_ends(void)
{
	struct vcpu vcpu;
	uint64_t count;

	vcpu_start(&vcpu, true, false, AGENT_LABEL(agent_looping));
	begin_loop(&vcpu);
	count = vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS);
	vcpu_enter(&vcpu, PV_INJECT_AGENT_NMI);
	for (unsigned i = 0; i < 3; i++) {
		while (!__atomic_load_n(vcpu_word(&vcpu, AGENT_NMIS), __ATOMIC_RELAXED))
			;
		handover_ring(&vcpu.run->bell);
		CHECK_EQ(vcpu_wait(&vcpu), PV_EXIT_KICK);
		CHECK_EQ(vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS), count);
		*vcpu_word(&vcpu, AGENT_NMIS) = 0;
		vcpu_enter(&vcpu, 0);
	}
	handover_ring(&vcpu.run->bell);
	CHECK_EQ(vcpu_wait(&vcpu), PV_EXIT_KICK);
	vcpu_begin(&vcpu, GUEST_LABEL(guest_long));
	count = vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS);
	vcpu_run_to(&vcpu, CALL_END);
	CHECK_EQ(vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS) - count, 2000003);
	vcpu_stop(&vcpu);
}

/* The agent's finish, which comes while its handler runs, waits for that: what it has taken is not lost. */
static void agent_finish_in_an_nmi(void)
{
	const uint64_t *ended;
	struct vcpu vcpu;

	vcpu_start(&vcpu, true, false, AGENT_LABEL(agent_long));
	ended = vcpu_word(&vcpu, AGENT_DATA + 8);
	begin_loop(&vcpu);
	vcpu_resume(&vcpu, PV_INJECT_AGENT_NMI);
	CHECK(vcpu_is_at(&vcpu, CALL_POINT));
	handover_ring(&vcpu.run->bell);
	CHECK_EQ(vcpu_resume(&vcpu, 0), PV_EXIT_KICK);
	CHECK_EQ(*ended, 0);
	vcpu_agent(&vcpu, AGENT_LABEL(agent_sled));
	CHECK(vcpu_is_at(&vcpu, CALL_POINT));
	CHECK_EQ(*ended, 1);
	vcpu_stop(&vcpu);
}

/* Not the guest's end, but a fault of the engine's side. */
static void agent_that_faults(void)
{
	struct vcpu vcpu;

	vcpu_start(&vcpu, true, false, AGENT_LABEL(agent_faulting));
	begin_loop(&vcpu);
	vcpu.failure = -EFAULT;
	CHECK_EQ(vcpu_resume(&vcpu, PV_INJECT_AGENT_NMI), PV_EXIT_ERROR);
	CHECK(strstr(vcpu.run->text, "the agent's NMI handler: triple fault after #UD (vector 6) at rip 0x4"));
	vcpu_stop(&vcpu);
}

/* So is an NMI for an agent that there is not, and a frame outside of RAM. */
static void agent_that_is_not_there(void)
{
	static const gpa_t frames[] = { RAM_BYTES - 32, RAM_BYTES, AGENT_BASE - 64, AGENT_BASE + 4, UINT64_MAX - 7 };
	struct vcpu vcpu;
	struct pv_engine *engine;
	char why[100] = "";

	vcpu_start(&vcpu, true, false, 0);
	begin_loop(&vcpu);
	vcpu.config.agent_bytes = RAM_BYTES - AGENT_BASE;
	for (unsigned i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		vcpu.config.agent_frame = frames[i];
		CHECK_EQ(engine_create(&vcpu.config, &engine, why, sizeof(why)), -EFAULT);
		CHECK(strstr(why, "the agent's frame"));
	}
	vcpu.failure = -EINVAL;
	CHECK_EQ(vcpu_resume(&vcpu, PV_INJECT_AGENT_NMI), PV_EXIT_ERROR);
	CHECK(strstr(vcpu.run->text, "there is none"));
	vcpu_stop(&vcpu);
}

/* With the jump to a guest: before its first instruction. */
static void agent_with_a_jump(void)
{
	struct vcpu vcpu;

	vcpu_start(&vcpu, true, false, AGENT_LABEL(agent_spoiling));
	vcpu_jump(&vcpu, GUEST_LABEL(guest_loop), PV_INJECT_AGENT_NMI);
	CHECK(vcpu_is_at(&vcpu, CALL_POINT));
	CHECK_EQ(*vcpu_word(&vcpu, AGENT_NMIS), 1);
	check_frame(&vcpu, GUEST_LABEL(guest_loop), PV_CPL_KERNEL);
	CHECK_EQ(vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS), 0);
	vcpu_run_to(&vcpu, CALL_START);
	CHECK_EQ(vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS), 4);
	vcpu_run_to(&vcpu, CALL_END);
	vcpu_stop(&vcpu);
}

/* The guest's debug registers are the guest's alone, and as they were afterwards. */
static void agent_is_not_debugged(void)
{
	struct vcpu vcpu;
	uint64_t nmis = 0;

	vcpu_start(&vcpu, false, false, AGENT_LABEL(agent_trivial));
	vcpu_gate(&vcpu, 1, GUEST_LABEL(handle_db), 0);
	vcpu_begin(&vcpu, GUEST_LABEL(guest_debug));
	do {
		alarm_arm(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS,
			  vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS) + 5);
		vcpu_resume(&vcpu, vcpu.run->exit_reason == PV_EXIT_OVERFLOW ? PV_INJECT_AGENT_NMI : 0);
		nmis += vcpu.run->exit_reason == PV_EXIT_OVERFLOW;
	} while (!vcpu_is_at(&vcpu, CALL_POINT));
	CHECK(nmis > 10);
	CHECK_EQ(vcpu.run->arg[1], 20); /* RBX */
	CHECK_EQ(vcpu.run->arg[3] & 0xf, 5); /* RDX */
	/* Nor does what is jumped to know of them, such as the agent's end. */
	*vcpu_word(&vcpu, GUEST_IDTR) = 0;
	alarm_disarm(&vcpu);
	vcpu_jump(&vcpu, GUEST_LABEL(guest_debugged), 0);
	vcpu_run_to(&vcpu, CALL_END);
	vcpu_stop(&vcpu);
}

/* While a vCPU is halted. */
static void agent_wakes_hlt(void)
{
	struct vcpu vcpu;

	vcpu_start(&vcpu, true, false, AGENT_LABEL(agent_spoiling));
	vcpu_begin(&vcpu, GUEST_LABEL(guest_hlt));
	CHECK_EQ(vcpu_resume(&vcpu, 0), PV_EXIT_HLT);
	vcpu_resume(&vcpu, PV_INJECT_AGENT_NMI);
	check_frame(&vcpu, GUEST_LABEL(guest_behind_hlt), PV_CPL_KERNEL);
	vcpu_resume(&vcpu, 0);
	CHECK(vcpu_is_at(&vcpu, CALL_END));
	vcpu_stop(&vcpu);
}

/* From a guest, that number goes to the host as any other does. */
static void agent_iret_of_a_guest(void)
{
	struct vcpu vcpu;

	vcpu_start(&vcpu, true, false, AGENT_LABEL(agent_spoiling));
	vcpu_begin(&vcpu, GUEST_LABEL(guest_agent_iret));
	vcpu_resume(&vcpu, 0);
	CHECK(vcpu_is_at(&vcpu, PV_HC_AGENT_IRET));
	CHECK_EQ(vcpu.run->retire[PV_COUNT_INSTRUCTIONS], 1);
	vcpu_resume(&vcpu, 0);
	CHECK(vcpu_is_at(&vcpu, CALL_END));
	vcpu_stop(&vcpu);
}

/* Decoded once, however often it is entered. */
static void agent_stays_decoded(void)
{
	struct vcpu vcpu;
	uint64_t decoded = 0;

	vcpu_start(&vcpu, false, false, AGENT_LABEL(agent_trivial));
	vcpu_begin(&vcpu, GUEST_LABEL(guest_long));
	for (unsigned i = 0; i < 100; i++) {
		if (i == 3)
			decoded = vcpu.run->blocks_decoded;
		alarm_arm(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS,
			  vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, ALL_LEVELS) + 1000);
		CHECK_EQ(vcpu_resume(&vcpu, PV_INJECT_AGENT_NMI), PV_EXIT_OVERFLOW);
	}
	CHECK_EQ(vcpu.run->agent_nmis, 100);
	CHECK_EQ(vcpu.run->blocks_decoded, decoded);
	vcpu_stop(&vcpu);
}

const struct named_test agent_end_tests[] = {
	{ "agent_first", agent_first, false },
	{ "agent_in_a_guest_nmi", agent_in_a_guest_nmi, false },
	{ "agent_latch", agent_latch, false },
	{ "agent_that_never_ends", agent_that_never_ends, false },
	{ "agent_finish_in_an_nmi", agent_finish_in_an_nmi, false },
	{ "agent_that_faults", agent_that_faults, false },
	{ "agent_that_is_not_there", agent_that_is_not_there, false },
	{ "agent_with_a_jump", agent_with_a_jump, false },
	{ "agent_is_not_debugged", agent_is_not_debugged, false },
	{ "agent_wakes_hlt", agent_wakes_hlt, false },
	{ "agent_iret_of_a_guest", agent_iret_of_a_guest, false },
	{ "agent_stays_decoded", agent_stays_decoded, false },
	{ 0 },
};
