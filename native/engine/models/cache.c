/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/models/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/models/config.h"

static const struct pv_cache_config default_l1d = { .bytes = 32 << 10, .ways = 8, .line = 64 };
static const struct pv_cache_config default_llc = { .bytes = 1 << 20, .ways = 16, .line = 64 };

static bool is_power_of_two(uint32_t n)
{
	return n && !(n & (n - 1));
}

static int cache_create(struct cache *cache, const struct pv_cache_config *config)
{
	if (!is_power_of_two(config->line) || config->line < PV_CACHE_LINE_MIN || config->line > PV_CACHE_LINE_MAX ||
	    !config->ways || config->ways > PV_CACHE_WAYS_MAX || config->bytes > PV_CACHE_BYTES_MAX ||
	    config->bytes % (config->ways * config->line))
		return -EINVAL;
	cache->ways = config->ways;
	cache->sets = config->bytes / (config->ways * config->line);
	cache->line_bits = (uint32_t)__builtin_ctz(config->line);
	if (!is_power_of_two(cache->sets))
		return -EINVAL;
	cache->way = calloc((size_t)cache->sets * cache->ways, sizeof(*cache->way));
	return cache->way ? 0 : -ENOMEM;
}

int caches_create(struct caches *caches, const struct pv_cache_config *l1d, const struct pv_cache_config *llc)
{
	int ret;

	*caches = (struct caches){ 0 };
	ret = cache_create(&caches->l1d, l1d->bytes ? l1d : &default_l1d);
	if (!ret)
		ret = cache_create(&caches->llc, llc->bytes ? llc : &default_llc);
	/* An L1D line must come from one line of the last level. */
	if (!ret && caches->llc.line_bits < caches->l1d.line_bits)
		ret = -EINVAL;
	if (ret)
		caches_destroy(caches);
	return ret;
}

void caches_destroy(struct caches *caches)
{
	free(caches->l1d.way);
	free(caches->llc.way);
	*caches = (struct caches){ 0 };
}

void caches_empty(struct caches *caches)
{
	memset(caches->l1d.way, 0, (size_t)caches->l1d.sets * caches->l1d.ways * sizeof(uint64_t));
	memset(caches->llc.way, 0, (size_t)caches->llc.sets * caches->llc.ways * sizeof(uint64_t));
}

/* Makes the line of `gpa` the last used of its set, in place of the least recently used
 * one if it was not there. Was it? */
static bool cache_touch(struct cache *cache, gpa_t gpa)
{
	uint64_t line = gpa >> cache->line_bits, tag = line + 1;
	uint64_t *set = cache->way + (line & (cache->sets - 1)) * cache->ways;
	uint32_t at = 0;
	bool hit;

	while (at < cache->ways - 1 && set[at] != tag)
		at++;
	hit = set[at] == tag;
	for (; at > 0; at--)
		set[at] = set[at - 1];
	set[0] = tag;
	return hit;
}

void caches_access(struct caches *caches, gpa_t gpa, uint32_t size, struct cache_traffic *traffic)
{
	gpa_t line = 1ull << caches->l1d.line_bits;

	for (gpa_t at = gpa & ~(line - 1); at < gpa + size; at += line) {
		if (cache_touch(&caches->l1d, at))
			continue;
		traffic->references++;
		traffic->misses += !cache_touch(&caches->llc, at);
	}
}
