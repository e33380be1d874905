/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Canaries: defects of one line each, planted in the core behind PV_CANARY(name), which is
 * 0 in every build but this one. A search that does not find them all proves nothing.
 */
#ifndef EXPLORE_CANARY_H
#define EXPLORE_CANARY_H

#include <stdint.h>

#define EXPLORE_CANARIES(X)                                                               \
	X(found_without_reference)                                                        \
	X(lock_let_go_before_reference)                                                   \
	X(lock_let_go_before_insertion)                                                   \
	X(limit_off_by_one)                                                               \
	X(limit_read_then_counted)                                                        \
	X(slot_not_returned)                                                              \
	X(refused_open_kept)                                                              \
	X(attached_without_reference)                                                     \
	X(detached_keeps_reference)                                                       \
	X(closed_not_looked_at)                                                           \
	X(put_before_unlock)                                                              \
	X(pause_not_announced)                                                            \
	X(pause_not_obeyed)                                                               \
	X(resume_not_announced)                                                           \
	X(ticket_too_late)                                                                \
	X(detached_stays_queued)                                                          \
	X(queued_without_reference)                                                       \
	X(flag_cleared_before_next)                                                       \
	X(push_not_retried)                                                               \
	X(failed_write_not_undone)                                                        \
	X(shadow_read_then_cleared)                                                       \
	X(failed_sync_not_queued_again)                                                   \
	X(miss_not_deferred)                                                              \
	X(halts_with_an_nmi_due)                                                          \
	X(early_kick_forgotten)                                                           \
	X(closed_seen_without_lock)                                                       \
	X(due_cleared_by_a_store)                                                         \
	X(nmi_outlives_its_event)                                                         \
	X(nmi_stays_behind)                                                               \
	X(halt_over_for_nothing)                                                          \
	X(record_not_marked)                                                       \
	X(closed_leader_joined)                                                           \
	X(closed_leader_is_invalid)                                                \
	X(stale_count_synced)                                                      \
	X(period_begins_anew)                                                      \
	X(time_forgotten)                                                          \
	X(alarm_without_sum)

enum explore_canary {
	CANARY_NONE = 0,
#define X(name) CANARY_##name,
	EXPLORE_CANARIES(X)
#undef X
	CANARY_MAX,
};

extern uint32_t canary_active;
#define PV_CANARY(name) (canary_active == CANARY_##name)

#endif
