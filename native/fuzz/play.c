/* SPDX-License-Identifier: GPL-2.0-only */
/* One input, from a VM that is created for it to one of which nothing is left. */
#include <string.h>

#include "abi/agent.h"
#include "fuzz/check.h"
#include "fuzz/machine.h"
#include "fuzz/memory.h"
#include "fuzz/player.h"

const char *fuzz_design;
uint32_t canary_active;

static const char *const canaries[CANARY_MAX] = {
#define X(name) [CANARY_##name] = #name,
	EXPLORE_CANARIES(X)
#undef X
};

bool fuzz_plant(const char *canary)
{
	for (uint32_t i = 1; i < CANARY_MAX; i++)
		if (!strcmp(canaries[i], canary))
			canary_active = i;
	return canary_active != CANARY_NONE;
}

static bool is_running(void)
{
	return vm_phase(machine.vm) == PHASE_RUNNING;
}

/* As who opened it: neither finds what is the other's. */
static void close_one(const struct model_handle *open)
{
	const uint64_t arg[4] = { KVM_PERF_OP, KVM_PV_PERF_OP_CLOSE, (uint32_t)open->id, 0 };
	struct fuzz_vcpu *vcpu = &machine.vcpu[open->owner];
	uint32_t stage = vcpu->vcpu->stage.v;
	int64_t result;

	vcpu->vcpu->stage.v = open->agent ? STAGE_AGENT_START : STAGE_GUEST;
	if (!machine_hypercall(vcpu, arg, &result) || result)
		fuzz_violation("event %d is open, and cannot be closed in the end", open->id);
	vcpu->vcpu->stage.v = stage;
}

/* Everything is closed, and every vCPU enters once more, so that nothing waits to be synced. */
static void close_all(void)
{
	struct model_handle open;

	for (uint32_t i = 0; i < machine.vcpus; i++)
		machine.vcpu[i].cpl = 0;
	while (model_any_open(&open))
		close_one(&open);
	for (uint32_t i = 0; i < machine.vcpus; i++)
		machine_exit(&machine.vcpu[i], PV_EXIT_KICK);
	check_nothing_left();
}

static void finish(void *arg)
{
	(void)arg;
	vm_finish(machine.vm);
}

/* The agent's finish is done, or the vCPU leaves guest mode, and does not come back. */
static void stop(struct fuzz_vcpu *vcpu)
{
	const uint64_t done[4] = { PV_HC_AGENT_DONE, PV_AGENT_FINISHED }, started[4] = { PV_HC_AGENT_DONE, PV_AGENT_STARTED };
	int64_t result;

	vcpu->cpl = 0;
	for (int exits = 0; vcpu->place != STOPPED; exits++) {
		uint32_t stage = pv_u32_load(&vcpu->vcpu->stage);

		if (exits == 4)
			fuzz_violation("%s does not stop", vcpu->thread.name);
		if (stage == STAGE_AGENT_START || stage == STAGE_AGENT_FINISH)
			machine_hypercall(vcpu, stage == STAGE_AGENT_START ? started : done, &result);
		else
			machine_exit(vcpu, PV_EXIT_KICK);
	}
}

static void end(void)
{
	player_disarm();
	memory_fail(0);
	machine.fail_alloc = 0;
	if (is_running())
		close_all();
	machine_api(finish, NULL);
	for (uint32_t i = 0; i < machine.vcpus; i++)
		stop(&machine.vcpu[i]);
	check_ended();
	memory_check();
	player_mix(memory_digest());
	player_mix(machine.vm->ledger.raised.v);
	player_mix(machine.vm->ledger.delivered.v);
	player_mix(machine.vm->end.what.reason);
	machine_destroy();
}

void fuzz_play(const uint8_t *data, size_t size, struct fuzz_result *ret)
{
	struct fuzz_input input;

	*ret = (struct fuzz_result){ 0 };
	if (!record_parse(data, size, &input))
		return;
	memory_reset();
	model_reset();
	player_begin(&input);
	machine_create(&input.header);
	while (player_next())
		check_at_rest();
	end();
	player_result(ret);
}
