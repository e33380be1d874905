/* SPDX-License-Identifier: GPL-2.0-only */
/* Tests of the host core. */
#ifndef CORE_TEST_H
#define CORE_TEST_H

#include <stdbool.h>
#include <stdint.h>

#include "../checks.h"
#include "core/host/host.h"

extern const struct named_test attr_tests[], op_tests[], pmu_tests[], overflow_tests[], clock_tests[], clock_queue_tests[], design_tests[],
	conserve_tests[], sync_tests[], life_tests[], race_tests[], hostile_tests[], ring_tests[], trace_tests[], stress_tests[],
	open2_tests[], group_tests[], group_sample_tests[], group_race_tests[], agent_tests[], lies_tests[], quiet_tests[];

/* Called at every pv_point() while it is set: a single-threaded test lets another vCPU come in between. */
extern void (*on_point)(const char *tag);

/* A small generator of random numbers: the same sequence for the same seed. */
struct rng {
	uint64_t state;
};
uint64_t rng_next(struct rng *rng);
uint32_t rng_below(struct rng *rng, uint32_t n);

/*
 * A VM whose vCPUs are played by the test: single-threaded through direct_*(), or by a
 * thread per vCPU that goes through the real handover, as a vCPU process does.
 */
enum { FAKE_RAM = 1 << 20, FAKE_VCPUS = 4 };

struct fake_vm {
	struct pv_vm *vm;
	struct pv_vm_config config;
	struct pv_host_hooks hooks;
	uint64_t now_ns;     /* of the injected clock; 0: the real one */
	int64_t live;        /* allocations not released */
	int64_t allocations; /* ever */
	void *last;          /* what was allocated last */
	int64_t fail_at;     /* this allocation, counted from 1, fails; 0: none */
	struct guest *guests;
};

/* Fills in the configuration; the test may change it before fake_vm_create(). */
void fake_vm_init(struct fake_vm *fake, uint32_t vcpus);
int fake_vm_create(struct fake_vm *fake);
/* Destroys the VM and checks that it leaves no memory behind. */
void fake_vm_destroy(struct fake_vm *fake);
void *fake_ram(const struct fake_vm *fake, gpa_t gpa);
uint64_t fake_count(const struct fake_vm *fake, gpa_t gpa);
void fake_end(struct fake_vm *fake, struct pv_vm_end *ret);

/* A parameter block with its attr behind it, at `gpa`; 128 bytes. */
enum { OPEN_BYTES = 128 };
void put_open(struct fake_vm *fake, gpa_t gpa, int32_t id, uint32_t type, uint64_t config,
	      uint64_t flags, gpa_t event);

/* Direct: the calling thread serves the vCPU's exit itself. */
void direct_boot(struct fake_vm *fake);
enum pv_entry_action direct_exit(struct fake_vm *fake, uint32_t vcpu, uint32_t reason);
int64_t direct_hypercall(struct fake_vm *fake, uint32_t vcpu, uint64_t rax, uint64_t rbx,
			 uint64_t rcx, uint64_t rdx);
int64_t direct_op(struct fake_vm *fake, uint32_t vcpu, uint64_t op, uint64_t id);
int64_t direct_open(struct fake_vm *fake, uint32_t vcpu, gpa_t gpa);
/* The tail of VM entry: what it brings (PV_INJECT_*). The vCPU is in guest mode until its next exit. */
uint32_t direct_enter(struct fake_vm *fake, uint32_t vcpu);
/* put_open() with a period. */
void put_sampling(struct fake_vm *fake, gpa_t gpa, int32_t id, uint64_t config, uint64_t flags, uint64_t period,
		  gpa_t event);
/* Takes the overflows of an event as a guest does. */
uint32_t fake_take(const struct fake_vm *fake, gpa_t event);
void direct_run(struct fake_vm *fake, uint32_t vcpu, int cpl, uint64_t instructions);

/* Threaded. */
struct guest {
	struct fake_vm *fake;
	struct pv_run *run;
	uint32_t vcpu;
	bool over;       /* told to stop, or the VM is over */
	bool jumped;     /* sent somewhere; the guest clears it */
	uint64_t ran;    /* instructions, hypercalls included */
	struct rng rng;
	void (*body)(struct guest *guest);
	void (*agent)(struct guest *guest); /* plays the agent when jumped */
	pthread_t thread;
};

/* Boots and runs body() on every vCPU; guest_join_all() waits for all of them. */
void guests_start(struct fake_vm *fake, void (*body)(struct guest *guest));
void guests_join(struct fake_vm *fake);
/* The usual end: joins, checks that the VM ended for `reason`, destroys. */
void guests_finish(struct fake_vm *fake, uint32_t reason);
enum pv_entry_action guest_exit(struct guest *guest, uint32_t reason);
int64_t guest_hypercall(struct guest *guest, uint64_t rax, uint64_t rbx, uint64_t rcx, uint64_t rdx);
int64_t guest_op(struct guest *guest, uint64_t op, uint64_t id);
int64_t guest_open(struct guest *guest, gpa_t gpa);
void guest_out(struct guest *guest, uint32_t port, uint32_t size, uint32_t value);
void guest_hlt(struct guest *guest);
void guest_kick(struct guest *guest, uint32_t vcpu);
/* Executes instructions at CPL 0, and looks at the doorbell. */
void guest_run(struct guest *guest, uint64_t instructions);
/* Waits in guest mode until *word is at least `value`, or the VM is over. */
void guest_wait(struct guest *guest, const uint32_t *word, uint32_t value);
static inline void word_add(uint32_t *word, uint32_t n)
{
	__atomic_add_fetch(word, n, __ATOMIC_SEQ_CST);
}
static inline uint32_t word_load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

#endif
