/* SPDX-License-Identifier: GPL-2.0-only */
/* What of the models can be configured, and within which bounds. */
#ifndef PV_MODELS_CONFIG_H
#define PV_MODELS_CONFIG_H

#include <stdint.h>

/* A level of the cache model. All zero: the default (see cache.c). */
struct pv_cache_config {
	uint32_t bytes, ways, line; /* line and number of sets are powers of two */
};

enum {
	PV_CACHE_BYTES_MAX = 64 << 20,
	PV_CACHE_WAYS_MAX = 64,
	PV_CACHE_LINE_MIN = 16,
	PV_CACHE_LINE_MAX = 4096,
	PV_PREDICTOR_BITS_MAX = 24,
};

#endif
