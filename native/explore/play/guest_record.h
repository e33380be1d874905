/* SPDX-License-Identifier: GPL-2.0-only */
/* What a guest reads of its events: the words of either version, and a version 2 record as its sequence says. */
#ifndef EXPLORE_GUEST_RECORD_H
#define EXPLORE_GUEST_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/kvm_pv_perf.h"

enum { RECORD_MEMBERS = 5 }; /* that there is room for */

struct guest_record {
	uint32_t format; /* KVM_PV_PERF_FORMAT_* */
	uint64_t count, time_enabled, time_running, id;
	uint64_t nr; /* 0: no group */
	uint64_t value[RECORD_MEMBERS], member_id[RECORD_MEMBERS];
};

/* The words that both versions have. */
struct kvm_pv_perf_event guest_word(gpa_t gpa);
/* False: the host was writing meanwhile. `points`: in between others may have their turn. */
bool guest_record_read(struct guest_record *record, gpa_t gpa, uint32_t format, bool points);
/* Violations of a record that does not tell of one moment. */
void guest_record_check(const struct guest_record *record, int32_t id);
/* And of a time that went backwards, or is not between these bounds. */
void guest_record_check_time(int32_t id, const char *name, uint64_t time, uint64_t before, uint64_t least, uint64_t most);

#endif
