/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What `pvperf bench` measures the emulator against: bare instructions, and what the
 * kernel itself offers. Functions return nanoseconds for all `n` repetitions, or a
 * negative errno where the machine does not have what they need.
 */
#ifndef PV_BENCH_PEER_H
#define PV_BENCH_PEER_H

#include <stdint.h>

/* Ticks of the time-stamp counter in a second, which guests read, too; looks for `ms`. */
double tsc_hz(uint32_t ms);

/* An atomic exchange, or add, of a word that may be shared. */
int64_t word_exchange(uint32_t *word, uint32_t n);
int64_t word_add(uint32_t *word, uint32_t n);
/* An exchange that takes what lies in one word, and an add that puts it into another. */
int64_t word_hand_over(uint32_t *word, uint32_t n);
/* The other side: exchanges, or adds, until *stop is not 0. */
void word_exchange_until(uint32_t *word, const uint32_t *stop);
void word_add_until(uint32_t *word, const uint32_t *stop);

/* Not a peer: the core's own way of one raised overflow from the shadow into the guest's word. */
int64_t overflow_deliver(uint32_t *word, uint32_t n);
/* The same without the raising: what lies in the shadow already changes hands. */
int64_t overflow_hand_over(uint32_t *word, uint32_t n);

/* The kernel's own perf events, on a software event of this thread. */
enum perf_event_call { PERF_EVENT_CALL_ENABLE = 0, PERF_EVENT_CALL_DISABLE, PERF_EVENT_CALL_READ };
int64_t perf_event_repeat(enum perf_event_call call, uint32_t n);

/* OUT in a real VM: from guest mode to user space and back. */
int64_t kvm_exit_repeat(uint32_t n);

#endif
