/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The inline part of pv_sync.h on real threads that are disturbed: at every lock, atomic access and pv_point() the
 * calling thread may, by seed, spin, yield or sleep. A build of its own, so that the core of VMs pays nothing.
 */
#ifndef PV_SYNC_NOISE_H
#define PV_SYNC_NOISE_H

#include "stress/noise.h"

#define pv_point(tag) noise_point()
#define pv_lock_point() noise_point()
#include "core/locks/sync_real.h"

/* A macro does not expand within itself: these call the functions of the same names. */
#define pv_u32_load(word) (noise_point(), pv_u32_load(word))
#define pv_u32_store(word, value) (noise_point(), pv_u32_store(word, value))
#define pv_u32_exchange(word, value) (noise_point(), pv_u32_exchange(word, value))
#define pv_u32_add(word, n) (noise_point(), pv_u32_add(word, n))
#define pv_u32_sub(word, n) (noise_point(), pv_u32_sub(word, n))
#define pv_u32_replace(word, old, value) (noise_point(), pv_u32_replace(word, old, value))
#define pv_u64_load(word) (noise_point(), pv_u64_load(word))
#define pv_u64_store(word, value) (noise_point(), pv_u64_store(word, value))
#define pv_u64_exchange(word, value) (noise_point(), pv_u64_exchange(word, value))
#define pv_u64_add(word, n) (noise_point(), pv_u64_add(word, n))
#define pv_u64_sub(word, n) (noise_point(), pv_u64_sub(word, n))
#define pv_ptr_load(word) (noise_point(), pv_ptr_load(word))
#define pv_ptr_store(word, value) (noise_point(), pv_ptr_store(word, value))
#define pv_ptr_exchange(word, value) (noise_point(), pv_ptr_exchange(word, value))
#define pv_ptr_replace(word, old, value) (noise_point(), pv_ptr_replace(word, old, value))

#endif
