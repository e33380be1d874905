/* SPDX-License-Identifier: GPL-2.0-only */
/* A vCPU process that lies in its run page: its own fault, and nothing that the host computes with. */
#include <string.h>

#include "core_test.h"
#include "abi/handover.h"

enum { PARAMS = 0x1000, EVENT = 0x8000, ENABLE = KVM_PV_PERF_OP_ENABLE, ID = 1 };

static struct fake_vm fake;

typedef void lie_fn(struct pv_run *run, uint64_t value);

static void lie_reason(struct pv_run *run, uint64_t value)
{
	run->exit_reason = (uint32_t)value;
}

static void lie_cpl(struct pv_run *run, uint64_t value)
{
	run->cpl = (uint32_t)value;
}

static void lie_retire(struct pv_run *run, uint64_t value)
{
	run->retire[PV_COUNT_INSTRUCTIONS] = value;
}

static void lie_retired_cycles(struct pv_run *run, uint64_t value)
{
	run->retire[PV_COUNT_CYCLES] = value;
}

static void lie_count(struct pv_run *run, uint64_t value)
{
	run->count[PV_COUNT_INSTRUCTIONS][PV_CPL_KERNEL] = value;
}

static void lie_user_cycles(struct pv_run *run, uint64_t value)
{
	run->count[PV_COUNT_CYCLES][PV_CPL_USER] = value;
}

static const struct lie {
	lie_fn *tell;
	uint64_t value;
	const char *said;
} lies[] = {
	{ lie_reason, 0, "no known reason" },
	{ lie_reason, PV_EXIT_REASONS, "no known reason" },
	{ lie_reason, UINT32_MAX, "no known reason" },
	{ lie_reason, PV_EXIT_READY, "a second" },
	{ lie_cpl, 2, "privilege level" },
	{ lie_cpl, UINT32_MAX, "privilege level" },
	{ lie_retire, 2, "retires more" },
	{ lie_retire, UINT64_MAX, "retires more" },
	{ lie_retired_cycles, 1ull << 63, "retires more" },
	{ lie_count, 1, "goes backwards" },
	{ lie_count, 1ull << 62, "goes backwards" },
	{ lie_user_cycles, UINT64_MAX, "goes backwards" },
	{ lie_user_cycles, 1ull << 60, "goes backwards" },
};

static const struct lie *told;

/* An event that overflows with each instruction, then an honest exit, and one that is none. */
static void liar(struct guest *guest)
{
	struct pv_run *run = guest->run;

	put_sampling(guest->fake, PARAMS, ID, PV_HW_INSTRUCTIONS, 0, 1, EVENT);
	CHECK_EQ(guest_open(guest, PARAMS), 0);
	CHECK_EQ(guest_op(guest, ENABLE, ID), 0);
	guest_run(guest, 1000);
	CHECK_EQ(guest_op(guest, KVM_PV_PERF_OP_READ, ID), 0);
	run->count[PV_COUNT_INSTRUCTIONS][PV_CPL_KERNEL] += 3;
	run->retire[PV_COUNT_INSTRUCTIONS] = run->retire[PV_COUNT_CYCLES] = 0;
	run->exit_reason = PV_EXIT_KICK;
	told->tell(run, told->value);
	guest->over = handover_exit(run, guest->fake->config.page) != PV_HANDED || run->action == PV_ENTER_STOP;
	CHECK(guest->over);
}

static void lies_end_the_vm(void)
{
	for (told = lies; told < lies + sizeof(lies) / sizeof(lies[0]); told++) {
		struct pv_vm_statistics figures;
		struct pv_vm_end end;

		fake_vm_init(&fake, 1);
		CHECK_EQ(fake_vm_create(&fake), 0);
		guests_start(&fake, liar);
		fake_end(&fake, &end);
		CHECK_EQ(end.vcpu, 0);
		CHECK(strstr(end.text, told->said));
		vm_statistics(fake.vm, &figures);
		CHECK(figures.overflows_raised < 2000);
		guests_finish(&fake, PV_END_ENGINE_ERROR);
	}
}

/* What the host has written there it does not believe afterwards, whoever has written over it. */
static void scribbler(struct guest *guest)
{
	struct pv_run *run = guest->run;

	put_sampling(guest->fake, PARAMS, ID, PV_HW_INSTRUCTIONS, 0, 1000, EVENT);
	CHECK_EQ(guest_open(guest, PARAMS), 0);
	CHECK_EQ(guest_op(guest, ENABLE, ID), 0);
	for (unsigned i = 0; i < 100; i++) {
		run->armed = run->rax = UINT64_MAX;
		run->wanted = run->inject = UINT32_MAX;
		memset(run->alarm, (int)i, sizeof(run->alarm));
		memset(run->breakpoint, 0xff, sizeof(run->breakpoint));
		memset(&run->jump, 0xff, sizeof(run->jump));
		run->host_waits.poll_ns = UINT32_MAX;
		memset(run->text, '\n', sizeof(run->text));
		guest_run(guest, 1000);
		CHECK_EQ(guest_op(guest, KVM_PV_PERF_OP_READ, ID), 0);
		CHECK(!run->wanted && run->armed != UINT64_MAX && !(run->inject & ~(uint32_t)PV_INJECT_NMI));
	}
	memcpy(run->text, "a\033[2J\tb\200", 9);
	guest_exit(guest, PV_EXIT_SHUTDOWN);
}

static void scribbling_changes_nothing(void)
{
	struct pv_vm_end end;

	fake_vm_init(&fake, 1);
	CHECK_EQ(fake_vm_create(&fake), 0);
	guests_start(&fake, scribbler);
	fake_end(&fake, &end);
	CHECK_EQ(strcmp(end.text, "a?[2J?b?"), 0);
	guests_finish(&fake, PV_END_SHUTDOWN);
}

const struct named_test lies_tests[] = {
	{ "lies_end_the_vm", lies_end_the_vm, false },
	{ "scribbling_changes_nothing", scribbling_changes_nothing, false },
	{ NULL, NULL, false },
};
