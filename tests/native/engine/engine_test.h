/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tests of the engine: the test plays the host through the run page, the engine runs in a
 * thread, and the guests are the small programs of engine_guests.S.
 */
#ifndef ENGINE_TEST_H
#define ENGINE_TEST_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "../checks.h"
#include "abi/agent.h"
#include "engine/run/engine.h"
#include "abi/handover.h"

extern const struct named_test alarm_tests[], nmi_tests[], agent_tests[], agent_end_tests[], exit_tests[], place_tests[], cost_tests[];

/* Where things lie in guest RAM; engine_guests.S has the same numbers. */
enum {
	RAM_BYTES = 8 << 20,
	GUEST_IDTR = 0x7000, /* what lidt loads */
	GUEST_IDT = 0x8000,
	GUEST_TSS = 0x9000,
	GUEST_CODE = 0x10000,
	GUEST_DATA = 0x80000,
	GUEST_STACK = 0x90000, /* tops */
	GUEST_RSP0 = 0x94000,
	GUEST_USER_STACK = 0x98000,
	GUEST_IST1 = 0x9c000,
	GUEST_MAPPED = 0x600000, /* the guest may have something else there than the agent */
	AGENT_BASE = 0x400000, /* the end of what is RAM for the guest */
	AGENT_CODE = AGENT_BASE + 0x10000, /* the same bytes again */
	AGENT_STACK = AGENT_BASE + 0x90000,
	AGENT_FRAME = AGENT_BASE + 0xa0000,
	AGENT_DATA = AGENT_BASE + 0xb0000,
};

enum { CALL_START = 0x1001, CALL_END = 0x1002, CALL_POINT = 0x1003 };

extern const uint8_t guest_blob[], guest_blob_end[];
/* The address in RAM of a label of engine_guests.S. */
#define GUEST_LABEL(label) \
	({ extern const uint8_t label[]; (uint64_t)(GUEST_CODE + (label - guest_blob)); })
#define AGENT_LABEL(label) (GUEST_LABEL(label) - GUEST_CODE + AGENT_CODE)

/* A vCPU whose host is the test. */
struct vcpu {
	uint8_t *ram;
	struct pv_run *run;
	struct pv_vm_page *page;
	struct pv_engine_config config;
	struct pv_engine *engine;
	pthread_t thread;
	bool may_shut_down; /* the guest may */
	int failure; /* what engine_run() is to return; after it the run page has a text */
};

/* The engine is up and has made its first exit. `agent_nmi`: label in the agent, or 0. */
void vcpu_start(struct vcpu *vcpu, bool oracle, bool cycles_tsc, uint64_t agent_nmi);
/* With the oracle, and LOCK out of its blocks. */
void vcpu_start_trapping(struct vcpu *vcpu, uint64_t agent_nmi);
void vcpu_stop(struct vcpu *vcpu);
/* Sends the vCPU to a guest, by label, and waits for its CALL_START. */
void vcpu_begin(struct vcpu *vcpu, uint64_t label);
/* The same with the 2 MiB at a virtual address elsewhere than in the agent's world. */
void vcpu_begin_mapped(struct vcpu *vcpu, uint64_t label, uint64_t virtual, uint64_t physical);
/* Sends it there with what to inject, and waits for the next exit. */
uint32_t vcpu_jump(struct vcpu *vcpu, uint64_t label, uint32_t inject);
/* Sends it to the agent's code there, for good. */
uint32_t vcpu_agent(struct vcpu *vcpu, uint64_t label);
/* Enters with what to inject, and waits for the next exit: its reason. */
uint32_t vcpu_resume(struct vcpu *vcpu, uint32_t inject);
/* The same, without waiting, and then the wait. */
void vcpu_enter(struct vcpu *vcpu, uint32_t inject);
uint32_t vcpu_wait(struct vcpu *vcpu);
/* Resumes until the hypercall `call`, counting exits of other kinds. */
uint64_t vcpu_run_to(struct vcpu *vcpu, uint64_t call);
bool vcpu_is_at(const struct vcpu *vcpu, uint64_t call);
void vcpu_gate(struct vcpu *vcpu, unsigned vector, uint64_t label, unsigned ist);
uint64_t *vcpu_word(struct vcpu *vcpu, uint64_t address);
uint64_t vcpu_sum(const struct vcpu *vcpu, unsigned counter, unsigned levels);

/* Arms one alarm, and no other. */
void alarm_arm(struct vcpu *vcpu, unsigned counter, unsigned levels, uint64_t at);
void alarm_disarm(struct vcpu *vcpu);

/* A guest of the tests that go through all of them. */
struct guest {
	const char *name;
	uint64_t label;
};
const struct guest *guests(void); /* ends with an entry without a name */
/* Those that try to reach the address in the first word of GUEST_DATA. */
const struct guest *reaching_guests(void);

#endif
