/* SPDX-License-Identifier: GPL-2.0-only */
/* The machine: a VM that has booted, and the program that its vCPUs run. */
#ifndef EXPLORE_WORLD_H
#define EXPLORE_WORLD_H

#include "explore/play/explore.h"
#include "core/host/host.h"

enum {
	WORLD_RAM = 65536,
	WORLD_PARAMS = 0,      /* 128 bytes a fiber: what OPEN is given */
	WORLD_EVENTS = 0x1000, /* a slot for every OPEN of the program */
	WORLD_SLOT = 128,      /* bytes: a kvm_pv_perf_event2, and members */
	WORLD_RESULTS = EXPLORE_VCPUS * EXPLORE_OPS,
};

/* What one vCPU's guest knows. */
struct guest {
	uint32_t opened;               /* its OPENs that succeeded: a bit an operation */
	uint64_t taken;                /* overflows that its handlers took */
	bool over;
	uint32_t kicked_at;            /* the step at which the last kick that returned was begun, plus 1 */
	uint32_t woken_at;             /* the step at which its last HLT was over, plus 1 */
	uint32_t kicks, woken;         /* kicks of it that were begun, and HLTs that were over without an NMI */
	bool owed;                     /* account.c */
	uint64_t window[EXPLORE_IDS];  /* instructions at which it enabled the event; ~0: it has not */
	uint64_t expected[EXPLORE_IDS];
};

/* What a CLOSE left in an event's words. */
struct closed_word {
	bool closed;
	struct kvm_pv_perf_event left;
};

struct world {
	struct explore_machine machine;
	struct explore_program program;
	struct pv_vm *vm;
	uint8_t *ram, *run_pages;
	/* By id, from the program: */
	gpa_t word[EXPLORE_IDS];      /* of the event, if one OPEN is for this id, and of instructions; else 0 */
	uint32_t format[EXPLORE_IDS]; /* of its record, if one OPEN2 is for this id; else 0 */
	int8_t owner[EXPLORE_IDS];    /* the fiber that alone enables, disables and closes it; else -1 */
	/* Of the schedule: */
	struct guest guest[EXPLORE_VCPUS];
	struct closed_word closed[EXPLORE_IDS];
	struct explore_result *results; /* room for WORLD_RESULTS, unless a history is recorded */
	uint32_t result_count;
	uint32_t clock; /* of invocations and returns */
	bool fibers;    /* it is played by fibers, of which one runs at a time */
	bool history;   /* the program is played over and over: an event's words are those of many events */
};
extern struct world world;

static inline const struct explore_op *world_op_of(const struct explore_result *result)
{
	return &world.program.op[result->fiber][result->op];
}

/* What world_boot() took, and the VM's page; the VM is gone. */
void world_release(void *page);
/* boot.c: world.vm, whose vCPUs stand at the guest's first instruction; 0, or a negative errno with a reason. */
int world_boot(const struct explore_machine *machine, const struct pv_host_hooks *hooks, char *why, uint64_t why_size);
/* program.c. -EINVAL: it does not fit the machine. */
int world_program_set(const struct explore_program *program);
/* Nothing has been done yet, and guest memory is as it was. */
void world_begin(void);
/* trace_log.c: a schedule begins, whose trace is kept if that is wanted. */
void world_trace(void);
/* machine.c: begins a schedule from the kept state. */
void world_restore(void);
/* The fibers: vCPUs, then the timer. */
uint32_t world_fibers(void);
void world_body(unsigned fiber);
/* guest.c: a vCPU does its `at`-th operation; it answers a doorbell that rang; and an exit and entry that changes
 * nothing but what is synced. False: it does not go on. */
bool guest_do(unsigned vcpu, unsigned at);
bool guest_answer(unsigned vcpu);
bool guest_pass(unsigned vcpu);
/* May this vCPU stay where it waits, though nobody will wake it? */
bool guest_may_stay(unsigned vcpu);
/* An operation of the timer's. */
void timer_do(const struct explore_op *op);
gpa_t guest_event_word(unsigned fiber, unsigned op);
bool guest_opens(uint8_t kind);
/* KVM_PV_PERF_FORMAT_* of the event that this opens; 0: it is of version 1. */
uint32_t guest_format(const struct explore_op *op);
/* How much of it the event uses that this operation opens. */
uint32_t guest_event_bytes(unsigned fiber, unsigned op);
/* Overflows that this vCPU's handler took, and those in its events' words. */
uint64_t guest_overflows(unsigned vcpu);
/* oracle.c, on the checker: everybody is idle, in guest mode. */
void oracle_check(void);
/* What holds for a program that was played over and over, too; linearize_check()'s value. */
uint32_t oracle_check_history(void);
/* linearize.c: a violation if the results fit no order of the specification. Returns in how many states at once the
 * object may have been at most; 0: in more than can be kept, so that nothing is said. */
uint32_t linearize_check(void);

#endif
