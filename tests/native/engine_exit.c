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

const struct engine_test exit_tests[] = {
	{ "exit_jump_in_outs", exit_jump_in_outs, false },
	{ "exit_stop_in_outs", exit_stop_in_outs, false },
	{ 0 },
};
