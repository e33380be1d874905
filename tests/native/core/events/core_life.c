/* SPDX-License-Identifier: GPL-2.0-only */
/* The life of a VM with its threads: parking, the console, every kind of end. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>

#include "abi/agent.h"
#include "../core_test.h"

enum { OPEN = KVM_PV_PERF_OP_OPEN, CLOSE, ENABLE, DISABLE, READ };
enum { PARAMS = 0x1000, EVENTS = 0x4000 };

static struct fake_vm fake;
static uint32_t progress;

static void create(uint32_t vcpus)
{
	progress = 0;
	fake_vm_init(&fake, vcpus);
	CHECK_EQ(fake_vm_create(&fake), 0);
}

static void do_nothing(struct guest *guest)
{
	(void)guest;
}

static struct pv_vm_end end_of(void)
{
	struct pv_vm_end end;

	fake_end(&fake, &end);
	return end;
}

static void never_started(void)
{
	create(2);
	vm_finish(fake.vm);
	CHECK_EQ(end_of().reason, PV_END_STOPPED);
	CHECK_EQ(vm_start(fake.vm), -ECANCELED);
	fake_vm_destroy(&fake);
}

static void destroy_is_refused_while_running(void)
{
	create(1);
	guests_start(&fake, do_nothing);
	CHECK_EQ(vm_destroy(fake.vm), -EBUSY);
	vm_finish(fake.vm);
	vm_finish(fake.vm);
	guests_finish(&fake, PV_END_STOPPED);
}

/* It changes nothing of the VM that runs. */
static void second_start_is_refused(void)
{
	struct pv_run *run;

	create(1);
	guests_start(&fake, do_nothing);
	run = fake.vm->vcpus[0].run;
	CHECK_EQ(vm_start(fake.vm), -ECANCELED);
	CHECK(fake.vm->vcpus[0].run == run);
	vm_finish(fake.vm);
	guests_finish(&fake, PV_END_STOPPED);
}

enum { PINGS = 3000 };

/* Each parks until the other kicks it; the kick often comes before the hlt. */
static void ping(struct guest *guest)
{
	for (int i = 0; i < PINGS && !guest->over; i++) {
		if (guest->vcpu == 0)
			guest_kick(guest, 1);
		guest_hlt(guest);
		if (guest->vcpu == 1)
			guest_kick(guest, 0);
	}
	word_add(&progress, 1);
	if (guest->vcpu == 0)
		guest_out(guest, PV_PORT_EXIT, 1, 7);
}

static void kicks_are_never_lost(void)
{
	struct pv_vm_statistics figures;

	create(2);
	guests_start(&fake, ping);
	CHECK_EQ(end_of().status, 7);
	vm_statistics(fake.vm, &figures);
	CHECK_EQ(figures.exits[PV_EXIT_HLT], 2 * PINGS);
	guests_finish(&fake, PV_END_EXIT_PORT);
	CHECK_EQ(progress, 2);
}

static void park(struct guest *guest)
{
	if (guest->vcpu == 0)
		guest_kick(guest, 0); /* itself: the first hlt does not park */
	guest_hlt(guest);
	if (guest->vcpu == 0) {
		CHECK(!guest->over);
		word_add(&progress, 1);
		guest_hlt(guest);
	}
	CHECK(guest->over);
}

static void all_halted(void)
{
	create(3);
	guests_start(&fake, park);
	guests_finish(&fake, PV_END_ALL_HALTED);
	CHECK_EQ(progress, 1);
}

static void park_but_one(struct guest *guest)
{
	word_add(&progress, 1);
	if (guest->vcpu)
		guest_hlt(guest);
}

static void finish_wakes_the_parked(void)
{
	create(3);
	guests_start(&fake, park_but_one);
	while (word_load(&progress) < 3)
		sched_yield();
	vm_finish(fake.vm);
	guests_finish(&fake, PV_END_STOPPED);
}

static uint32_t timer_inside, timer_may_leave;

/* In the timer's thread, between two clocks. */
static void keep_the_timer(const char *tag)
{
	if (strcmp(tag, "clocks: between two"))
		return;
	__atomic_store_n(&timer_inside, 1, __ATOMIC_SEQ_CST);
	while (!word_load(&timer_may_leave))
		sched_yield();
}

static void enable_a_clock_and_leave(struct guest *guest)
{
	put_open(&fake, 0x1000, 1, PV_TYPE_SOFTWARE, PV_SW_CPU_CLOCK, 0, 0x4000);
	((struct kvm_pv_perf_attr *)fake_ram(&fake, 0x1000 + 32))->sample_period = 1000;
	guest_open(guest, 0x1000);
	guest_op(guest, KVM_PV_PERF_OP_ENABLE, 1);
	guest_wait(guest, &timer_inside, 1);
	guest_out(guest, PV_PORT_EXIT, 1, 5);
}

/* The end is told when the timer's thread raises nothing more, too: what is published then is final. */
static void end_waits_for_the_timer(void)
{
	struct pv_vm_statistics first, later;
	struct pv_vm_end end;

	create(1);
	timer_inside = timer_may_leave = 0;
	on_point = keep_the_timer;
	guests_start(&fake, enable_a_clock_and_leave);
	guests_join(&fake);
	while (pv_u32_load(&fake.vm->end.serving) > 1)
		sched_yield();
	vm_end(fake.vm, &end);
	CHECK_EQ(end.reason, PV_END_NONE);
	word_add(&timer_may_leave, 1);
	fake_end(&fake, &end);
	on_point = NULL;
	CHECK_EQ(end.status, 5);
	vm_statistics(fake.vm, &first);
	vm_statistics(fake.vm, &later);
	CHECK_EQ(first.overflows_lost, 0);
	CHECK(first.overflows_raised > 0);
	CHECK_EQ(first.overflows_raised, later.overflows_raised);
	fake_vm_destroy(&fake);
}

enum { LINES = 200 };

static void print(struct guest *guest)
{
	for (uint32_t i = 0; i < LINES; i++)
		guest_out(guest, PV_PORT_CONSOLE, i % 2 ? 1 : 2, guest->vcpu << 6 | (i % 32) | 0xff00);
	word_add(&progress, 1);
	guest_wait(guest, &progress, fake.config.vcpus);
	if (guest->vcpu == 0)
		guest_out(guest, PV_PORT_EXIT, 1, 0);
}

/* A ring of one byte: every writer blocks all the time, and nothing is lost or reordered. */
static void full_console(void)
{
	struct pollfd fd = { .events = POLLIN };
	uint32_t next[FAKE_VCPUS] = { 0 }, fill = 0;
	struct pv_vm_end end;
	uint8_t byte;

	progress = 0;
	fake_vm_init(&fake, FAKE_VCPUS);
	fake.config.console_bytes = 1;
	CHECK_EQ(fake_vm_create(&fake), 0);
	guests_start(&fake, print);
	fd.fd = vm_event_fd(fake.vm);
	for (uint32_t n = 0; n < FAKE_VCPUS * LINES * 3 / 2;) {
		CHECK_EQ(poll(&fd, 1, 20000), 1);
		vm_end(fake.vm, &end);
		if (end.reason)
			break;
		if (!vm_console_read(fake.vm, &byte, 1))
			continue;
		n++;
		if (byte == 0xff)
			fill++;
		else
			CHECK_EQ(byte & 63, next[byte >> 6]++ % 32);
	}
	for (int i = 0; i < FAKE_VCPUS; i++)
		CHECK_EQ(next[i], LINES);
	CHECK_EQ(fill, FAKE_VCPUS * LINES / 2);
	guests_finish(&fake, PV_END_EXIT_PORT);
}

static void print_without_end(struct guest *guest)
{
	while (!guest->over) {
		word_add(&progress, 1);
		guest_out(guest, PV_PORT_CONSOLE, 4, 0x20202020);
	}
}

/* Nobody reads: the writers block, and the VM's end frees them. */
static void end_frees_blocked_writers(void)
{
	for (int kill = 0; kill < 2; kill++) {
		struct pv_vm_end end;

		progress = 0;
		fake_vm_init(&fake, 2);
		fake.config.console_bytes = 8;
		CHECK_EQ(fake_vm_create(&fake), 0);
		guests_start(&fake, print_without_end);
		while (word_load(&progress) < 4)
			sched_yield();
		if (kill)
			vm_kill(fake.vm, PV_END_VCPU_DIED, 1, 0, "vCPU 1 was killed");
		else
			vm_finish(fake.vm);
		do {
			vm_end(fake.vm, &end);
			sched_yield();
		} while (!end.reason);
		if (kill)
			CHECK(!strcmp(end.text, "vCPU 1 was killed"));
		guests_finish(&fake, kill ? PV_END_VCPU_DIED : PV_END_STOPPED);
	}
}

static void triple_fault(struct guest *guest)
{
	if (guest->vcpu != 1)
		return;
	memset(guest->run->text, 'x', sizeof(guest->run->text)); /* not even terminated */
	guest_exit(guest, PV_EXIT_SHUTDOWN);
	CHECK(guest->over);
}

static void shutdown(void)
{
	create(2);
	guests_start(&fake, triple_fault);
	CHECK_EQ(end_of().vcpu, 1);
	CHECK_EQ(strlen(end_of().text), 511);
	CHECK(vm_vcpu_stopped(fake.vm, 0) && vm_vcpu_stopped(fake.vm, 1));
	guests_finish(&fake, PV_END_SHUTDOWN);
}

static gpa_t event_of(uint32_t vcpu)
{
	return EVENTS + vcpu * 16;
}

static uint64_t tally[FAKE_VCPUS]; /* what each ran between the two visits to the agent */

/* Plays the agent: opens and enables an event for this vCPU, or stops and closes it. */
static void play_agent(struct guest *guest)
{
	uint64_t rip = guest->run->jump.rip;
	gpa_t params = PARAMS + guest->vcpu * OPEN_BYTES;

	if (rip == fake.config.agent_start.rip) {
		put_open(&fake, params, (int32_t)guest->vcpu, PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, 0,
			 event_of(guest->vcpu));
		CHECK_EQ(guest_open(guest, params), 0);
		guest_run(guest, 1000);
		CHECK_EQ(guest_op(guest, ENABLE, guest->vcpu), 0);
		guest_run(guest, 1000);
		guest->ran = 0;
		/* From here to the guest, or right to the finish if the VM has ended. */
		guest_hypercall(guest, PV_HC_AGENT_DONE, PV_AGENT_STARTED, 0, 0);
	} else if (rip == fake.config.agent_finish.rip) {
		guest->agent = NULL;
		tally[guest->vcpu] = guest->ran;
		word_add(&progress, 1);
		guest_run(guest, 1000);
		if (guest->rng.state == 1) /* the one that hangs */
			return;
		CHECK_EQ(guest_op(guest, DISABLE, guest->vcpu), 0);
		CHECK_EQ(guest_op(guest, CLOSE, guest->vcpu), 0);
		guest->over = guest_hypercall(guest, PV_HC_AGENT_DONE, PV_AGENT_FINISHED, 0, 0);
	}
}

/* vCPU 0 ends the VM; 1 runs, 2 is parked, 3 prints. */
static void work(struct guest *guest)
{
	for (int i = 0; !guest->over && guest->agent; i++) {
		if (guest->vcpu == 0 && i == 2000)
			guest_out(guest, PV_PORT_EXIT, 1, 3);
		else if (guest->vcpu == 2 && i == 100)
			guest_hlt(guest);
		else if (guest->vcpu == 3 && i % 16 == 0)
			guest_out(guest, PV_PORT_CONSOLE, 1, 'x');
		else
			guest_run(guest, 3);
	}
}

static void create_with_agent(uint64_t patience_ns)
{
	progress = 0;
	fake_vm_init(&fake, FAKE_VCPUS);
	fake.hooks.patience_ns = patience_ns;
	fake.config.agent_start = (struct pv_jump){ .rip = 0x100, .rsp = 0x8000 };
	fake.config.agent_finish = (struct pv_jump){ .rip = 0x200, .rsp = 0x8000 };
	fake.config.agent_stack = 0x1000;
	CHECK_EQ(fake_vm_create(&fake), 0);
	for (int i = 0; i < FAKE_VCPUS; i++)
		fake.guests[i].agent = play_agent;
}

/* Every count is exactly what its vCPU ran between the two visits to the agent. */
static void orderly_end_with_agent(void)
{
	struct pv_event_times times;
	struct pv_vm_statistics figures;

	create_with_agent(20000000000);
	guests_start(&fake, work);
	CHECK_EQ(end_of().agent_complete, 1);
	CHECK_EQ(end_of().status, 3);
	CHECK_EQ(progress, FAKE_VCPUS);
	for (uint32_t i = 0; i < FAKE_VCPUS; i++) {
		CHECK(vm_vcpu_stopped(fake.vm, i));
		CHECK_EQ(vm_agent_times(fake.vm, (int32_t)i, &times), 0);
		CHECK(times.enabled_ns > 0 && times.enabled_ns == times.running_ns);
	}
	vm_statistics(fake.vm, &figures);
	CHECK_EQ(figures.events_allocated, 0);
	guests_join(&fake);
	for (uint32_t i = 0; i < FAKE_VCPUS; i++)
		CHECK_EQ(fake_count(&fake, event_of(i)), tally[i]);
	fake_vm_destroy(&fake);
}

/* A guest has overwritten the agent of vCPU 1, which never finishes: the end comes without it. */
static void watchdog(void)
{
	struct pv_vm_end end;

	create_with_agent(50000000);
	fake.guests[1].rng.state = 1 - 1000003;
	guests_start(&fake, work);
	fake_end(&fake, &end);
	CHECK_EQ(end.reason, PV_END_EXIT_PORT);
	CHECK_EQ(end.agent_complete, 0);
	guests_finish(&fake, PV_END_EXIT_PORT);
}

static void read_own(struct guest *guest)
{
	gpa_t params = PARAMS + guest->vcpu * OPEN_BYTES;

	put_open(&fake, params, (int32_t)guest->vcpu, 0, 1, 0, event_of(guest->vcpu));
	CHECK_EQ(guest_open(guest, params), 0);
	word_add(&progress, 1);
	guest_wait(guest, &progress, 3);
	while (!guest->over)
		guest_op(guest, READ, 0);
}

/* An event that is overwritten is found out, and the VM ends; the process does not. */
static void panic_ends_the_vm(void)
{
	struct pv_event_times times;
	struct host_event *event;
	struct pv_vm_end end;

	create(2);
	guests_start(&fake, read_own);
	while (word_load(&progress) < 2)
		sched_yield();
	event = fake.vm->design->get(fake.vm, NULL, 0);
	event->magic = 0x6b6b6b6b6b6b6b6b;
	word_add(&progress, 1);
	fake_end(&fake, &end);
	CHECK(strstr(end.text, "what is no host event (magic 0x6b6b6b6b6b6b6b6b)"));
	CHECK(strstr(end.text, "host/vcpu"));
	CHECK_EQ(vm_event_times(fake.vm, 0, &times), -EIO);
	guests_finish(&fake, PV_END_HOST_PANIC);
}

/* Opens three clocks, and does not come out for their NMIs. */
static void three_clocks(struct guest *guest)
{
	for (uint32_t id = 0; id < 3; id++) {
		put_open(&fake, PARAMS, (int32_t)id, PV_TYPE_SOFTWARE, PV_SW_CPU_CLOCK, 0, event_of(id));
		((struct kvm_pv_perf_attr *)fake_ram(&fake, PARAMS + 32))->sample_period = 10000000;
		CHECK_EQ(guest_open(guest, PARAMS), 0);
		CHECK_EQ(guest_op(guest, ENABLE, id), 0);
	}
	while (!__atomic_load_n(&fake.config.page->ended, __ATOMIC_ACQUIRE))
		sched_yield();
}

/* Nor does one that an NMI comes upon. */
static void panic_in_nmi(void)
{
	progress = 0;
	fake_vm_init(&fake, 1);
	fake.config.design = "posted";
	fake.config.counters = 1; /* and so many slots for queued events */
	CHECK_EQ(fake_vm_create(&fake), 0);
	guests_start(&fake, three_clocks);
	CHECK(strstr(end_of().text, "host/timer writes overflow_events[1]"));
	guests_finish(&fake, PV_END_HOST_PANIC);
}

/* The guest has asked for the end already: a panic is told all the same. */
static void panic_while_ending(void)
{
	struct pv_vm_end exited = { .reason = PV_END_EXIT_PORT, .status = 3, .vcpu = 0 };
	struct pv_vm_end panic = { .reason = PV_END_HOST_PANIC, .vcpu = -1, .text = "an invariant" };
	struct pv_vm_end another = { .reason = PV_END_HOST_PANIC, .vcpu = -1, .text = "what came of it" };

	create(1);
	guests_start(&fake, do_nothing);
	pv_mutex_lock(&fake.vm->vcpus[0].event_mutex); /* the vCPU does not get to its end yet */
	vm_request_end(fake.vm, &exited);
	vm_force_end(fake.vm, &panic);
	vm_force_end(fake.vm, &another);
	pv_mutex_unlock(&fake.vm->vcpus[0].event_mutex);
	CHECK(!strcmp(end_of().text, "an invariant"));
	vm_force_end(fake.vm, &another);
	CHECK(!strcmp(end_of().text, "an invariant")); /* it is published */
	guests_finish(&fake, PV_END_HOST_PANIC);
}

static void open_many(struct guest *guest)
{
	guest_wait(guest, &progress, 1);
	for (uint64_t i = 0; !guest->over; i++) {
		gpa_t params = PARAMS + guest->vcpu * OPEN_BYTES;
		int64_t ret;

		put_open(&fake, params, (int32_t)(i * 4 + guest->vcpu), 0, 1, 0, EVENTS);
		ret = guest_open(guest, params);
		CHECK(ret == 0 || guest->over);
		if (ret == 0 && i % 2)
			guest_op(guest, ENABLE, i * 4 + guest->vcpu);
	}
}

static void out_of_memory(void)
{
	for (int64_t n = 1; n <= 8; n++) {
		create(2);
		guests_start(&fake, open_many);
		__atomic_store_n(&fake.fail_at, fake.allocations + n, __ATOMIC_SEQ_CST);
		word_add(&progress, 1);
		CHECK_EQ(end_of().error, ENOMEM);
		guests_finish(&fake, PV_END_HOST_ERROR);
	}
}

const struct named_test life_tests[] = {
	{ "never_started", never_started, false },
	{ "destroy_is_refused_while_running", destroy_is_refused_while_running, false },
	{ "second_start_is_refused", second_start_is_refused, false },
	{ "kicks_are_never_lost", kicks_are_never_lost, false },
	{ "all_halted", all_halted, false },
	{ "end_waits_for_the_timer", end_waits_for_the_timer, false },
	{ "finish_wakes_the_parked", finish_wakes_the_parked, false },
	{ "full_console", full_console, false },
	{ "end_frees_blocked_writers", end_frees_blocked_writers, false },
	{ "shutdown", shutdown, false },
	{ "orderly_end_with_agent", orderly_end_with_agent, false },
	{ "watchdog", watchdog, false },
	{ "panic_ends_the_vm", panic_ends_the_vm, false },
	{ "panic_in_nmi", panic_in_nmi, false },
	{ "panic_while_ending", panic_while_ending, false },
	{ "out_of_memory", out_of_memory, false },
	{ NULL, NULL, false },
};
