/* SPDX-License-Identifier: GPL-2.0-only */
/* The played VM of core_test.h. */
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "abi/handover.h"
#include "core/exits/exit.h"
#include "core/vcpu/vcpu.h"
#include "core/vm/vm_config.h"
#include "core_test.h"

static void *fake_alloc(void *context, uint64_t size)
{
	struct fake_vm *fake = context;
	int64_t number = __atomic_add_fetch(&fake->allocations, 1, __ATOMIC_SEQ_CST);
	void *memory;

	if (number == __atomic_load_n(&fake->fail_at, __ATOMIC_SEQ_CST))
		return NULL;
	__atomic_add_fetch(&fake->live, 1, __ATOMIC_SEQ_CST);
	memory = calloc(1, size);
	__atomic_store_n(&fake->last, memory, __ATOMIC_SEQ_CST);
	return memory;
}

static void fake_release(void *context, void *memory)
{
	struct fake_vm *fake = context;

	if (memory)
		__atomic_sub_fetch(&fake->live, 1, __ATOMIC_SEQ_CST);
	free(memory);
}

static uint64_t fake_now(void *context)
{
	const struct fake_vm *fake = context;

	return fake->now_ns ? fake->now_ns : clock_host_ns();
}

/* Time that is held passes on the injected clock, if there is one. */
static void fake_hold(void *context, uint64_t ns)
{
	struct fake_vm *fake = context;

	if (fake->now_ns)
		fake->now_ns += ns;
}

void fake_vm_init(struct fake_vm *fake, uint32_t vcpus)
{
	*fake = (struct fake_vm){
		.config = { .vcpus = vcpus, .max_events = 1024, .counters = 8, .pv_perf = 1,
			    .design = "per-vm", .nmi = "trylock", .sync = "entry",
			    .boot = { .rip = 0x1000 }, .ram_size = FAKE_RAM },
		.hooks = { .alloc = fake_alloc, .release = fake_release, .now_ns = fake_now, .hold_ns = fake_hold,
			   .ns_per_tick = 1ull << 31, /* a tick is half a ns */
			   .patience_ns = 20000000000ull },
	};
	fake->hooks.context = fake;
	fake->config.ram = aligned_alloc(4096, FAKE_RAM);
	fake->config.page = aligned_alloc(4096, 4096);
	fake->config.run_pages = aligned_alloc(4096, (size_t)vcpus * PV_RUN_PAGE_SIZE);
	fake->guests = calloc(vcpus, sizeof(*fake->guests));
	memset(fake->config.ram, 0, FAKE_RAM);
	memset(fake->config.page, 0, 4096);
	memset(fake->config.run_pages, 0, (size_t)vcpus * PV_RUN_PAGE_SIZE);
}

int fake_vm_create(struct fake_vm *fake)
{
	char why[128];

	return vm_create_hooked(&fake->config, &fake->hooks, &fake->vm, why, sizeof(why));
}

void fake_vm_destroy(struct fake_vm *fake)
{
	if (fake->vm)
		CHECK_EQ(vm_destroy(fake->vm), 0);
	CHECK_EQ(fake->live, 0);
	free(fake->config.ram);
	free(fake->config.page);
	free(fake->config.run_pages);
	free(fake->guests);
}

void *fake_ram(const struct fake_vm *fake, gpa_t gpa)
{
	return fake->config.ram + gpa;
}

uint64_t fake_count(const struct fake_vm *fake, gpa_t gpa)
{
	return __atomic_load_n((uint64_t *)fake_ram(fake, gpa), __ATOMIC_ACQUIRE);
}

/* Waits for the end of the VM on its event fd; reads the console away meanwhile. */
void fake_end(struct fake_vm *fake, struct pv_vm_end *ret)
{
	struct pollfd fd = { .fd = vm_event_fd(fake->vm), .events = POLLIN };
	uint8_t bytes[64];

	for (vm_end(fake->vm, ret); ret->reason == PV_END_NONE; vm_end(fake->vm, ret)) {
		CHECK_EQ(poll(&fd, 1, 20000), 1);
		vm_console_read(fake->vm, bytes, sizeof(bytes));
	}
}

void put_open(struct fake_vm *fake, gpa_t gpa, int32_t id, uint32_t type, uint64_t config,
	      uint64_t flags, gpa_t event)
{
	struct kvm_pv_perf_event_param param = { .attr_addr = gpa + 32, .guest_event_addr = event,
						 .id = id };
	struct kvm_pv_perf_attr attr = { .type = type, .config = config, .flags = flags };

	memcpy(fake_ram(fake, gpa), &param, sizeof(param));
	memcpy(fake_ram(fake, gpa + 32), &attr, sizeof(attr));
}

static struct pv_run *run_of(const struct fake_vm *fake, uint32_t vcpu)
{
	return (void *)(fake->config.run_pages + (size_t)vcpu * PV_RUN_PAGE_SIZE);
}

static void set_hypercall(struct pv_run *run, uint64_t rax, uint64_t rbx, uint64_t rcx, uint64_t rdx)
{
	run->arg[0] = rax;
	run->arg[1] = rbx;
	run->arg[2] = rcx;
	run->arg[3] = rdx;
}

/* What an exit of this kind will retire. */
static void set_retire(struct pv_run *run, uint32_t reason)
{
	bool retires = reason == PV_EXIT_HYPERCALL || reason == PV_EXIT_IO_OUT;

	run->exit_reason = reason;
	run->retire[PV_COUNT_INSTRUCTIONS] = retires;
	run->retire[PV_COUNT_CYCLES] = retires ? 1 + PV_CYCLES_VM_EXIT : 0;
}

static void retire(struct pv_run *run)
{
	for (int i = 0; i < PV_COUNTS_AT_EXIT; i++)
		run->count[i][run->cpl ? PV_CPL_USER : PV_CPL_KERNEL] += run->retire[i];
}

void direct_boot(struct fake_vm *fake)
{
	for (uint32_t i = 0; i < fake->config.vcpus; i++)
		CHECK_EQ(direct_exit(fake, i, PV_EXIT_READY), fake->config.agent_start.rip ? PV_ENTER_AGENT : PV_ENTER_JUMP);
}

enum pv_entry_action direct_exit(struct fake_vm *fake, uint32_t vcpu, uint32_t reason)
{
	struct pv_run *run = run_of(fake, vcpu);
	enum pv_entry_action action;

	set_retire(run, reason);
	vcpu_leave_guest(&fake->vm->vcpus[vcpu]);
	action = exit_serve(&fake->vm->vcpus[vcpu]);
	if (action != PV_ENTER_STOP)
		retire(run);
	return action;
}

int64_t direct_hypercall(struct fake_vm *fake, uint32_t vcpu, uint64_t rax, uint64_t rbx,
			 uint64_t rcx, uint64_t rdx)
{
	struct pv_run *run = run_of(fake, vcpu);

	set_hypercall(run, rax, rbx, rcx, rdx);
	run->rax = 0xdeadbeef;
	direct_exit(fake, vcpu, PV_EXIT_HYPERCALL);
	return (int64_t)run->rax;
}

int64_t direct_op(struct fake_vm *fake, uint32_t vcpu, uint64_t op, uint64_t id)
{
	return direct_hypercall(fake, vcpu, KVM_PERF_OP, op, id, 0);
}

int64_t direct_open(struct fake_vm *fake, uint32_t vcpu, gpa_t gpa)
{
	return direct_hypercall(fake, vcpu, KVM_PERF_OP, KVM_PV_PERF_OP_OPEN, gpa & UINT32_MAX,
				gpa >> 32);
}

uint32_t direct_enter(struct fake_vm *fake, uint32_t vcpu)
{
	CHECK(vcpu_enter_guest(&fake->vm->vcpus[vcpu]));
	return run_of(fake, vcpu)->inject;
}

void put_sampling(struct fake_vm *fake, gpa_t gpa, int32_t id, uint64_t config, uint64_t flags, uint64_t period,
		  gpa_t event)
{
	put_open(fake, gpa, id, PV_TYPE_HARDWARE, config, flags, event);
	((struct kvm_pv_perf_attr *)fake_ram(fake, gpa + 32))->sample_period = period;
}

uint32_t fake_take(const struct fake_vm *fake, gpa_t event)
{
	return __atomic_exchange_n((uint32_t *)fake_ram(fake, event + 8), 0, __ATOMIC_SEQ_CST);
}

void direct_run(struct fake_vm *fake, uint32_t vcpu, int cpl, uint64_t instructions)
{
	struct pv_run *run = run_of(fake, vcpu);

	run->count[PV_COUNT_INSTRUCTIONS][cpl] += instructions;
	run->count[PV_COUNT_BRANCHES][cpl] += instructions / 4;
	run->count[PV_COUNT_CYCLES][cpl] += instructions * 2;
	run->count[PV_COUNT_GUEST_TSC][cpl] += instructions * 4;
}

enum pv_entry_action guest_exit(struct guest *guest, uint32_t reason)
{
	struct pv_run *run = guest->run;

	if (guest->over)
		return PV_ENTER_STOP;
	set_retire(run, reason);
	if (handover_exit(run, guest->fake->config.page) != PV_HANDED ||
	    run->action == PV_ENTER_STOP) {
		guest->over = true;
		return PV_ENTER_STOP;
	}
	retire(run);
	if (run->action == PV_ENTER_JUMP || run->action == PV_ENTER_AGENT) {
		guest->jumped = true;
		if (guest->agent)
			guest->agent(guest);
		return run->action;
	}
	guest->ran += run->retire[PV_COUNT_INSTRUCTIONS];
	return PV_ENTER_RESUME;
}

int64_t guest_hypercall(struct guest *guest, uint64_t rax, uint64_t rbx, uint64_t rcx, uint64_t rdx)
{
	if (guest->over)
		return INT64_MIN;
	set_hypercall(guest->run, rax, rbx, rcx, rdx);
	if (guest_exit(guest, PV_EXIT_HYPERCALL) != PV_ENTER_RESUME)
		return INT64_MIN;
	return (int64_t)guest->run->rax;
}

int64_t guest_op(struct guest *guest, uint64_t op, uint64_t id)
{
	return guest_hypercall(guest, KVM_PERF_OP, op, id, 0);
}

int64_t guest_open(struct guest *guest, gpa_t gpa)
{
	return guest_hypercall(guest, KVM_PERF_OP, KVM_PV_PERF_OP_OPEN, gpa, 0);
}

void guest_out(struct guest *guest, uint32_t port, uint32_t size, uint32_t value)
{
	if (guest->over)
		return;
	set_hypercall(guest->run, port, size, value, 0);
	guest_exit(guest, PV_EXIT_IO_OUT);
}

void guest_hlt(struct guest *guest)
{
	guest_exit(guest, PV_EXIT_HLT);
}

void guest_kick(struct guest *guest, uint32_t vcpu)
{
	guest_hypercall(guest, KVM_HC_KICK_CPU, 0, vcpu, 0);
}

void guest_run(struct guest *guest, uint64_t instructions)
{
	if (guest->over)
		return;
	guest->ran += instructions;
	guest->run->count[PV_COUNT_INSTRUCTIONS][PV_CPL_KERNEL] += instructions;
	guest->run->count[PV_COUNT_CYCLES][PV_CPL_KERNEL] += instructions;
	if (handover_doorbell(&guest->run->bell) && handover_take_doorbell(&guest->run->bell))
		guest_exit(guest, PV_EXIT_KICK);
}

void guest_wait(struct guest *guest, const uint32_t *word, uint32_t value)
{
	while (!guest->over && word_load(word) < value) {
		guest_run(guest, 0);
		sched_yield();
	}
}

static void *guest_main(void *arg)
{
	struct guest *guest = arg;

	guest_exit(guest, PV_EXIT_READY);
	guest->body(guest);
	/* A guest does not return: it stays in guest mode until the VM ends. */
	while (!guest->over) {
		guest_run(guest, 0);
		sched_yield();
	}
	return NULL;
}

void guests_start(struct fake_vm *fake, void (*body)(struct guest *guest))
{
	CHECK_EQ(vm_start(fake->vm), 0);
	for (uint32_t i = 0; i < fake->config.vcpus; i++) {
		struct guest *guest = &fake->guests[i];

		guest->fake = fake;
		guest->run = run_of(fake, i);
		guest->vcpu = i;
		guest->rng.state += i * 1000003;
		guest->body = body;
		pthread_create(&guest->thread, NULL, guest_main, guest);
	}
}

void guests_join(struct fake_vm *fake)
{
	for (uint32_t i = 0; i < fake->config.vcpus; i++)
		pthread_join(fake->guests[i].thread, NULL);
}

void guests_finish(struct fake_vm *fake, uint32_t reason)
{
	struct pv_vm_end end;

	fake_end(fake, &end);
	CHECK_EQ(end.reason, reason);
	guests_join(fake);
	fake_vm_destroy(fake);
}
