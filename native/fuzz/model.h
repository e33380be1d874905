/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzzer knows by itself of the VM: which events are open, from the hypercalls' results and from
 * what the host copied in, and so where the host may write and what a hypercall may return.
 */
#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

#include "fuzz/fuzz.h"
#include "abi/kvm_pv_perf.h"

struct fuzz_vcpu;

/* A hypercall that is under way. */
struct call {
	bool active, agent; /* agent: its vCPU was in its agent's code then */
	uint64_t begun;    /* machine.calls then */
	uint32_t failures; /* of guest memory until then */
	/* What OPEN has copied in: */
	uint32_t params, attrs;
	gpa_t event;
	uint32_t bytes;
	int32_t id, group;
	bool plain; /* counts instructions */
	bool whole; /* at all levels */
};

void model_reset(void);
void model_call_begin(struct fuzz_vcpu *vcpu);
void model_call_end(struct fuzz_vcpu *vcpu, int64_t result);
/* It got no result: the VM is at its end. */
void model_call_abandon(struct fuzz_vcpu *vcpu);
/* The host has copied this out of guest memory. */
void model_copied_in(const void *copy, uint64_t size);
bool model_may_write(gpa_t gpa, uint64_t size);
/* An addition to overflows found no room for all. */
void model_word_is_full(void);
void model_take_overflows(void);
/* At rest: what came in between each other is as the core's table has it. */
void model_settle(void);
/* Events of the agent's, or the guest's, that are open. */
uint32_t model_open(bool agent);
/* Was there a reason why overflows may wait for their event's next one, beside those that the host counts? */
bool model_excuses(void);
/* An open event, and who opened it. */
struct model_handle {
	int32_t id;
	uint32_t owner; /* a vCPU */
	bool agent;     /* the agent did, and the guest cannot reach it */
};
/* False: none is open. */
bool model_any_open(struct model_handle *handle);

#endif
