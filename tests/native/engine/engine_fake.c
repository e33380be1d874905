/* SPDX-License-Identifier: GPL-2.0-only */
/* A vCPU whose host is the test: its RAM, its thread, and what the host does at an exit. */
#include "engine_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	OFFSET_GDT = 0x1000, OFFSET_PML4 = 0x2000, OFFSET_PDPT = 0x3000, OFFSET_PD = 0x4000,
	POLL_NS = 20000,
	TSS_BYTES = 0x68,
};

uint64_t *vcpu_word(struct vcpu *vcpu, uint64_t address)
{
	return (uint64_t *)(vcpu->ram + address);
}

void vcpu_gate(struct vcpu *vcpu, unsigned vector, uint64_t label, unsigned ist)
{
	uint64_t *gate = vcpu_word(vcpu, GUEST_IDT + vector * 16);

	/* An interrupt gate of DPL 3. */
	gate[0] = (label & 0xffff) | 0x08ull << 16 | (uint64_t)ist << 32 | 0xeeull << 40 | (label >> 16 & 0xffff) << 48;
	gate[1] = label >> 32;
}

/* Page tables that map RAM to itself, for every CPL, and nothing else; and a GDT. */
static void make_world(struct vcpu *vcpu, uint64_t base)
{
	uint64_t *gdt = vcpu_word(vcpu, base + OFFSET_GDT), *pd = vcpu_word(vcpu, base + OFFSET_PD);

	*vcpu_word(vcpu, base + OFFSET_PML4) = (base + OFFSET_PDPT) | 7;
	*vcpu_word(vcpu, base + OFFSET_PDPT) = (base + OFFSET_PD) | 7;
	for (uint64_t i = 0; i < RAM_BYTES >> 21; i++)
		pd[i] = i << 21 | 0x87;
	gdt[1] = 0x00af9b000000ffff; /* 0x08: code, CPL 0 */
	gdt[2] = 0x00cf93000000ffff; /* 0x10: data */
	gdt[3] = 0x00cff3000000ffff; /* 0x18: data, CPL 3 */
	gdt[4] = 0x00affb000000ffff; /* 0x20: code, CPL 3 */
	gdt[5] = (TSS_BYTES - 1) | (uint64_t)(base + GUEST_TSS) << 16 | 0x89ull << 40;
	gdt[6] = 0;
}

static void make_guest(struct vcpu *vcpu)
{
	uint16_t limit = 4095;
	uint64_t idt = GUEST_IDT, rsp0 = GUEST_RSP0, ist1 = GUEST_IST1;

	memcpy(vcpu->ram + GUEST_IDTR, &limit, 2);
	memcpy(vcpu->ram + GUEST_IDTR + 2, &idt, 8);
	memcpy(vcpu->ram + GUEST_TSS + 4, &rsp0, 8);
	memcpy(vcpu->ram + GUEST_TSS + 36, &ist1, 8);
	memcpy(vcpu->ram + GUEST_CODE, guest_blob, (size_t)(guest_blob_end - guest_blob));
	memcpy(vcpu->ram + AGENT_CODE, guest_blob, (size_t)(guest_blob_end - guest_blob));
	vcpu_gate(vcpu, 2, GUEST_LABEL(handle_nmi), 0);
	vcpu_gate(vcpu, 6, GUEST_LABEL(handle_ud), 0);
	vcpu_gate(vcpu, 13, GUEST_LABEL(handle_gp), 0);
	vcpu_gate(vcpu, 14, GUEST_LABEL(handle_pf), 0);
	vcpu_gate(vcpu, 0x80, GUEST_LABEL(handle_int80), 0);
	vcpu_gate(vcpu, 0x81, GUEST_LABEL(handle_int81), 0);
}

static void *run_engine(void *arg)
{
	struct vcpu *vcpu = arg;

	CHECK_EQ(engine_run(vcpu->engine), vcpu->failure);
	return NULL;
}

static struct pv_jump jump_to(uint64_t rip, uint64_t world, uint64_t stack)
{
	return (struct pv_jump){ .rip = rip, .rsp = stack, .gdt = world + OFFSET_GDT,
				 .page_table = world + OFFSET_PML4 };
}

static void *page_new(size_t bytes)
{
	void *memory = aligned_alloc(4096, bytes);

	if (!memory)
		abort();
	return memset(memory, 0, bytes);
}

static void start(struct vcpu *vcpu, bool oracle, bool cycles_tsc, uint64_t agent_nmi, enum pv_engine_lock lock)
{
	char why[256] = "";

	*vcpu = (struct vcpu){ .ram = page_new(RAM_BYTES), .run = page_new(PV_RUN_PAGE_SIZE),
			       .page = page_new(PV_RUN_PAGE_SIZE) };
	vcpu->page->vcpus = 2; /* so that CPUID makes the engine translate anew */
	vcpu->page->poll_ns = vcpu->run->vcpu_waits.poll_ns = POLL_NS;
	vcpu->page->cycles_tsc = cycles_tsc;
	make_world(vcpu, 0);
	make_world(vcpu, AGENT_BASE);
	make_guest(vcpu);
	vcpu->config = (struct pv_engine_config){
		.ram = vcpu->ram, .ram_size = AGENT_BASE, .run = vcpu->run, .page = vcpu->page,
		.lock = lock, .oracle = oracle, .core = -1,
		.agent_frame = agent_nmi ? AGENT_FRAME : 0, .agent_bytes = agent_nmi ? RAM_BYTES - AGENT_BASE : 0,
	};
	if (agent_nmi)
		vcpu->config.agent_nmi = jump_to(agent_nmi, AGENT_BASE, AGENT_STACK);
	if (engine_create(&vcpu->config, &vcpu->engine, why, sizeof(why))) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	if (pthread_create(&vcpu->thread, NULL, run_engine, vcpu))
		abort();
	CHECK_EQ(vcpu_wait(vcpu), PV_EXIT_READY);
}

void vcpu_start(struct vcpu *vcpu, bool oracle, bool cycles_tsc, uint64_t agent_nmi)
{
	start(vcpu, oracle, cycles_tsc, agent_nmi, PV_LOCK_IN_BLOCK);
}

void vcpu_start_trapping(struct vcpu *vcpu, uint64_t agent_nmi)
{
	start(vcpu, true, false, agent_nmi, PV_LOCK_TRAPPED);
}

void vcpu_stop(struct vcpu *vcpu)
{
	vcpu->run->action = PV_ENTER_STOP;
	handover_enter(vcpu->run);
	pthread_join(vcpu->thread, NULL);
	CHECK_EQ(vcpu->run->oracle_differences, 0);
	if (vcpu->run->text[0] && !vcpu->failure && !vcpu->may_shut_down)
		fprintf(stderr, "engine: %s\n", vcpu->run->text);
	engine_destroy(vcpu->engine);
	free(vcpu->ram);
	free(vcpu->run);
	free(vcpu->page);
}

uint32_t vcpu_wait(struct vcpu *vcpu)
{
	if (handover_wait_exit(vcpu->run, vcpu->page, vcpu->run->entry_count) != PV_HANDED)
		abort();
	if (!vcpu->failure && !vcpu->may_shut_down &&
	    (vcpu->run->exit_reason == PV_EXIT_SHUTDOWN || vcpu->run->exit_reason == PV_EXIT_ERROR)) {
		fprintf(stderr, "the guest ended: %s\n", vcpu->run->text);
		abort();
	}
	return vcpu->run->exit_reason;
}

void vcpu_enter(struct vcpu *vcpu, uint32_t inject)
{
	vcpu->run->action = PV_ENTER_RESUME;
	vcpu->run->rax = 0;
	vcpu->run->inject = inject;
	handover_enter(vcpu->run);
}

uint32_t vcpu_resume(struct vcpu *vcpu, uint32_t inject)
{
	vcpu_enter(vcpu, inject);
	return vcpu_wait(vcpu);
}

bool vcpu_is_at(const struct vcpu *vcpu, uint64_t call)
{
	return vcpu->run->exit_reason == PV_EXIT_HYPERCALL && vcpu->run->arg[0] == call;
}

uint64_t vcpu_run_to(struct vcpu *vcpu, uint64_t call)
{
	uint64_t others = 0;

	while (vcpu_resume(vcpu, 0), !vcpu_is_at(vcpu, call))
		others++;
	return others;
}

uint32_t vcpu_jump(struct vcpu *vcpu, uint64_t label, uint32_t inject)
{
	alarm_disarm(vcpu);
	vcpu->run->jump = jump_to(label, 0, GUEST_STACK);
	vcpu->run->action = PV_ENTER_JUMP;
	vcpu->run->inject = inject;
	handover_enter(vcpu->run);
	return vcpu_wait(vcpu);
}

uint32_t vcpu_agent(struct vcpu *vcpu, uint64_t label)
{
	vcpu->run->jump = jump_to(label, AGENT_BASE, AGENT_STACK);
	vcpu->run->action = PV_ENTER_AGENT;
	vcpu->run->inject = 0;
	handover_enter(vcpu->run);
	return vcpu_wait(vcpu);
}

void vcpu_begin(struct vcpu *vcpu, uint64_t label)
{
	make_world(vcpu, 0); /* the TSS is no longer busy */
	vcpu_jump(vcpu, label, 0);
	CHECK(vcpu_is_at(vcpu, CALL_START));
}

void vcpu_begin_mapped(struct vcpu *vcpu, uint64_t label, uint64_t virtual, uint64_t physical)
{
	make_world(vcpu, 0);
	vcpu_word(vcpu, OFFSET_PD)[virtual >> 21] = physical | 0x87;
	vcpu_jump(vcpu, label, 0);
	CHECK(vcpu_is_at(vcpu, CALL_START));
}

uint64_t vcpu_sum(const struct vcpu *vcpu, unsigned counter, unsigned levels)
{
	uint64_t sum = 0;

	for (unsigned cpl = 0; cpl < PV_CPLS; cpl++)
		if (levels >> cpl & 1)
			sum += vcpu->run->count[counter][cpl];
	return sum;
}

void alarm_arm(struct vcpu *vcpu, unsigned counter, unsigned levels, uint64_t at)
{
	unsigned alarm = counter * PV_ALARM_LEVELS + levels - 1;

	vcpu->run->armed = 1ull << alarm;
	vcpu->run->alarm[alarm] = at;
}

void alarm_disarm(struct vcpu *vcpu)
{
	vcpu->run->armed = 0;
}

const struct guest *guests(void)
{
	static struct guest all[16];
	const struct guest list[] = {
		{ "straight", GUEST_LABEL(guest_straight) }, { "loop", GUEST_LABEL(guest_loop) },
		{ "rep", GUEST_LABEL(guest_rep) },           { "faults", GUEST_LABEL(guest_faults) },
		{ "rewrite", GUEST_LABEL(guest_rewrite) },   { "user", GUEST_LABEL(guest_user) },
		{ "locked", GUEST_LABEL(guest_locked) },     { "io", GUEST_LABEL(guest_io) },
		{ "syscalls", GUEST_LABEL(guest_syscalls) }, { "calls", GUEST_LABEL(guest_calls) },
		{ "anew", GUEST_LABEL(guest_anew) },
	};

	memcpy(all, list, sizeof(list));
	return all;
}

const struct guest *reaching_guests(void)
{
	static struct guest all[24];
	const struct guest list[] = {
		{ "load", GUEST_LABEL(guest_reach_load) },       { "store", GUEST_LABEL(guest_reach_store) },
		{ "execute", GUEST_LABEL(guest_reach_execute) }, { "execute across", GUEST_LABEL(guest_reach_across) },
		{ "push", GUEST_LABEL(guest_reach_push) },       { "call", GUEST_LABEL(guest_reach_call) },
		{ "lock", GUEST_LABEL(guest_reach_lock) },       { "xchg", GUEST_LABEL(guest_reach_xchg) },
		{ "cmpxchg16b", GUEST_LABEL(guest_reach_cmpxchg16b) }, { "rep stos", GUEST_LABEL(guest_reach_stos) },
		{ "rep movs", GUEST_LABEL(guest_reach_movs) },   { "misaligned", GUEST_LABEL(guest_reach_misaligned) },
		{ "fxsave", GUEST_LABEL(guest_reach_fxsave) },   { "cr3", GUEST_LABEL(guest_reach_cr3) },
		{ "page table", GUEST_LABEL(guest_reach_table) }, { "page directory", GUEST_LABEL(guest_reach_directory) },
		{ "idt", GUEST_LABEL(guest_reach_idt) },         { "gdt", GUEST_LABEL(guest_reach_gdt) },
		{ "stack of a fault", GUEST_LABEL(guest_reach_frame) }, { "stack of a TSS", GUEST_LABEL(guest_reach_tss) },
	};

	memcpy(all, list, sizeof(list));
	return all;
}
