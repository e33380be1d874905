/* SPDX-License-Identifier: GPL-2.0-only */
/* Where an exit sends the vCPU, whatever the guest has in store behind it. */
#include "engine_test.h"

#include <stdio.h>

struct behind {
	const char *name;
	uint64_t label;
};

/* outs cannot leave its block, in which more exits may lie: none of them comes before the answer to the first. */
static void exit_jump_in_outs(void)
{
	const struct behind all[] = {
		{ "outs", GUEST_LABEL(guest_outs_outs) },     { "rep outs", GUEST_LABEL(guest_outs_rep_outs) },
		{ "out", GUEST_LABEL(guest_outs_out) },       { "vmcall", GUEST_LABEL(guest_outs_vmcall) },
		{ "hlt", GUEST_LABEL(guest_outs_hlt) },       { "ud2", GUEST_LABEL(guest_outs_ud2) },
		{ "lock", GUEST_LABEL(guest_outs_locked) },
	};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct vcpu vcpu;

		vcpu_start(&vcpu, true, false, 0);
		for (unsigned round = 0; round < 2; round++) { /* when it is translated, and then */
			vcpu_begin(&vcpu, all[i].label);
			CHECK_EQ(vcpu_resume(&vcpu, 0), PV_EXIT_IO_OUT);
			vcpu_begin(&vcpu, GUEST_LABEL(guest_loop));
			if (!vcpu_is_at(&vcpu, CALL_START))
				fprintf(stderr, "outs, then %s: exit %u\n", all[i].name, vcpu.run->exit_reason);
			vcpu_resume(&vcpu, 0);
			CHECK(vcpu_is_at(&vcpu, CALL_END));
		}
		vcpu_stop(&vcpu);
	}
}

/* The same where the vCPU is to stop. */
static void exit_stop_in_outs(void)
{
	const uint64_t all[] = { GUEST_LABEL(guest_outs_outs), GUEST_LABEL(guest_outs_out), GUEST_LABEL(guest_outs_vmcall),
				 GUEST_LABEL(guest_outs_hlt) };

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct vcpu vcpu;

		vcpu_start(&vcpu, true, false, 0);
		vcpu_begin(&vcpu, all[i]);
		CHECK_EQ(vcpu_resume(&vcpu, 0), PV_EXIT_IO_OUT);
		vcpu_stop(&vcpu); /* waits for the engine */
	}
}

/* A block goes on behind its outs: each exits once, with what it wrote. */
static void exit_of_each_port(void)
{
	const struct { uint64_t rip, port, size, value; } all[] = {
		{ GUEST_LABEL(guest_ports_first), 0x80, 1, 'a' }, { GUEST_LABEL(guest_ports_second), 0x80, 1, 'b' },
		{ GUEST_LABEL(guest_ports_string), 0x80, 1, 0 },  { GUEST_LABEL(guest_ports_third), 0x80, 2, 'c' },
	};
	struct vcpu vcpu;

	vcpu_start(&vcpu, true, false, 0);
	for (unsigned round = 0; round < 3; round++) {
		uint64_t begin;

		vcpu_begin(&vcpu, GUEST_LABEL(guest_ports));
		*vcpu_word(&vcpu, GUEST_DATA) = 0x100;
		begin = vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, 3);
		for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
			CHECK_EQ(vcpu_resume(&vcpu, 0), PV_EXIT_IO_OUT);
			CHECK_EQ(vcpu.run->rip, all[i].rip);
			CHECK_EQ(vcpu.run->arg[0], all[i].port);
			CHECK_EQ(vcpu.run->arg[1], all[i].size);
			CHECK_EQ(vcpu.run->arg[2], all[i].value);
			/* With the vmcall of CALL_START; one instruction in front of each exit, two of the last. */
			CHECK_EQ(vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, 3) - begin, 5 + 2 * i);
		}
		vcpu_resume(&vcpu, 0);
		CHECK(vcpu_is_at(&vcpu, CALL_END));
		CHECK_EQ(*vcpu_word(&vcpu, GUEST_DATA), -0x100);
	}
	vcpu_stop(&vcpu);
}

/* At an exit in the midst of a block nothing counts of what lies behind it. */
static void exit_ahead(void)
{
	const struct { uint32_t reason; uint64_t instructions, branches, exits, locked; } all[] = {
		{ PV_EXIT_IO_OUT, 3, 0, 1, 0 }, /* with the vmcall of CALL_START */
		{ PV_EXIT_IO_OUT, 5, 0, 2, 1 },
		{ PV_EXIT_HYPERCALL, 8, 1, 3, 1 },
	};
	struct vcpu vcpu;

	vcpu_start(&vcpu, false, false, 0);
	for (unsigned round = 0; round < 3; round++) {
		uint64_t instructions, branches, cycles;

		vcpu_begin(&vcpu, GUEST_LABEL(guest_ports_ahead));
		instructions = vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, 3);
		branches = vcpu_sum(&vcpu, PV_COUNT_BRANCHES, 3);
		cycles = vcpu_sum(&vcpu, PV_COUNT_CYCLES, 3);
		for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
			CHECK_EQ(vcpu_resume(&vcpu, 0), all[i].reason);
			CHECK_EQ(vcpu_sum(&vcpu, PV_COUNT_INSTRUCTIONS, 3) - instructions, all[i].instructions);
			CHECK_EQ(vcpu_sum(&vcpu, PV_COUNT_BRANCHES, 3) - branches, all[i].branches);
			CHECK_EQ(vcpu_sum(&vcpu, PV_COUNT_CYCLES, 3) - cycles,
				 all[i].instructions + all[i].exits * PV_CYCLES_VM_EXIT +
					 all[i].locked * PV_CYCLES_LOCKED_OP);
		}
	}
	vcpu_stop(&vcpu);
}

/* From each of them the vCPU is sent elsewhere, and the rest of the block does not count, nor exit. */
static void exit_jump_at_each_port(void)
{
	for (unsigned exits = 1; exits <= 4; exits++) {
		struct vcpu vcpu;

		vcpu_start(&vcpu, true, false, 0);
		for (unsigned round = 0; round < 2; round++) {
			vcpu_begin(&vcpu, GUEST_LABEL(guest_ports));
			*vcpu_word(&vcpu, GUEST_DATA) = 0x100;
			for (unsigned i = 0; i < exits; i++)
				CHECK_EQ(vcpu_resume(&vcpu, 0), PV_EXIT_IO_OUT);
			vcpu_begin(&vcpu, GUEST_LABEL(guest_loop));
			CHECK(vcpu_is_at(&vcpu, CALL_START));
			vcpu_resume(&vcpu, 0);
			CHECK(vcpu_is_at(&vcpu, CALL_END));
			CHECK_EQ(*vcpu_word(&vcpu, GUEST_DATA), 0x100);
		}
		vcpu_stop(&vcpu);
	}
}

/* Or it stops there. */
static void exit_stop_at_each_port(void)
{
	for (unsigned exits = 1; exits <= 4; exits++) {
		struct vcpu vcpu;

		vcpu_start(&vcpu, true, false, 0);
		vcpu_begin(&vcpu, GUEST_LABEL(guest_ports));
		for (unsigned i = 0; i < exits; i++)
			CHECK_EQ(vcpu_resume(&vcpu, 0), PV_EXIT_IO_OUT);
		vcpu_stop(&vcpu);
	}
}

/* Code with traps that is executed with several kinds of flags is not translated again and again. */
static void exit_in_stays_decoded(void)
{
	struct vcpu vcpu;
	uint64_t before;

	vcpu_start(&vcpu, false, false, 0);
	vcpu_begin(&vcpu, GUEST_LABEL(guest_ins_of_two_kinds));
	before = vcpu.run->blocks_decoded;
	vcpu_run_to(&vcpu, CALL_END);
	CHECK(vcpu.run->blocks_decoded - before < 100); /* of 200 rounds */
	vcpu_stop(&vcpu);
}

const struct named_test exit_tests[] = {
	{ "exit_jump_in_outs", exit_jump_in_outs, false },
	{ "exit_stop_in_outs", exit_stop_in_outs, false },
	{ "exit_of_each_port", exit_of_each_port, false },
	{ "exit_ahead", exit_ahead, false },
	{ "exit_jump_at_each_port", exit_jump_at_each_port, false },
	{ "exit_stop_at_each_port", exit_stop_at_each_port, false },
	{ "exit_in_stays_decoded", exit_in_stays_decoded, false },
	{ 0 },
};
