/* SPDX-License-Identifier: GPL-2.0-only */
/* What the bytes of a header and of a record stand for: few values each, and those that matter. */
#ifndef FUZZ_RECORD_H
#define FUZZ_RECORD_H

#include "fuzz/fuzz.h"
#include "core/vm/vm.h"

enum {
	FUZZ_GUEST_RAM = 0x2000, /* a page of parameter blocks, and one of events */
	FUZZ_RAM = 0x3000,       /* the agent's page is behind it */
	FUZZ_EVENTS = 0x1000,
	FUZZ_BLOCK = 256,        /* a vCPU's parameter block, and its attr behind it */
	FUZZ_ATTR = 64,
};

struct fuzz_input {
	struct fuzz_header header;
	struct fuzz_record record[FUZZ_RECORDS];
	uint32_t records;
};

/* False: too short to say anything. */
bool record_parse(const uint8_t *data, size_t size, struct fuzz_input *ret);
/* The machine, but for its memory. */
void header_config(const struct fuzz_header *header, struct pv_vm_config *ret);

enum fuzz_op record_op(const struct fuzz_record *record);
const char *record_name(const struct fuzz_record *record);
/* Is it something that a vCPU in guest mode does? */
bool record_of_vcpu(const struct fuzz_record *record);

/* An id as RCX has it; the low half is what OPEN is given. */
uint64_t code_id(uint8_t code);
gpa_t code_gpa(uint8_t code);
uint64_t code_period(uint8_t code);
/* Any number: d shift and sign, e and f mantissa. */
uint64_t record_value(const struct fuzz_record *record);
uint64_t code_hypercall(uint8_t code);
uint64_t code_port(uint8_t code);
void record_attr(const struct fuzz_record *record, struct kvm_pv_perf_attr *ret);
/* Is this attr template the plain event that counts instructions? */
bool code_plain_attr(uint8_t code);
int32_t code_group(uint8_t code);

/* A field of a parameter block, or of the attr behind it. */
struct fuzz_field {
	const char *name;
	uint16_t at; /* from the block's begin */
	uint8_t size;
	bool is_gpa;
};
const struct fuzz_field *code_field(uint8_t code);

#endif
