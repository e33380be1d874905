/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/host/guest_mem.h"

#include <stddef.h>

bool guest_range_ok(const struct guest_mem *mem, gpa_t gpa, uint64_t size)
{
	return gpa <= mem->size && size <= mem->size - gpa;
}

/* The gpa as memory, or NULL if any of its `size` bytes lies outside of RAM. */
static uint8_t *to_host(const struct guest_mem *mem, gpa_t gpa, uint64_t size)
{
	return guest_range_ok(mem, gpa, size) ? mem->ram + gpa : NULL;
}

/*
 * Other vCPUs may be writing there meanwhile. That is their affair, but the loads
 * must be atomic ones, so that the compiler neither repeats nor invents any.
 */
int guest_copy_in(const struct guest_mem *mem, gpa_t gpa, void *ret, uint64_t size)
{
	const uint8_t *from = to_host(mem, gpa, size);
	uint8_t *to = ret;
	uint64_t i = 0;

	if (!from)
		return -PV_EFAULT;
	if (gpa % 8 == 0 && (uintptr_t)to % 8 == 0)
		for (; i + 8 <= size; i += 8)
			*(uint64_t *)(void *)(to + i) = __atomic_load_n(
				(const uint64_t *)(const void *)(from + i), __ATOMIC_RELAXED);
	for (; i < size; i++)
		to[i] = __atomic_load_n(from + i, __ATOMIC_RELAXED);
	return 0;
}

int guest_copy_out(const struct guest_mem *mem, gpa_t gpa, const void *from, uint64_t size)
{
	uint8_t *to = to_host(mem, gpa, size);

	if (!to)
		return -PV_EFAULT;
	for (uint64_t i = 0; i < size; i++)
		__atomic_store_n(to + i, ((const uint8_t *)from)[i], __ATOMIC_RELAXED);
	return 0;
}

int guest_add_s32(const struct guest_mem *mem, gpa_t gpa, uint64_t n, uint32_t *added)
{
	uint8_t *to = to_host(mem, gpa, sizeof(int32_t));
	int64_t room;
	int32_t *word;

	*added = 0;
	if (!to)
		return -PV_EFAULT;
	if (gpa % sizeof(int32_t))
		return -PV_EINVAL;
	word = (int32_t *)(void *)to;
	room = INT32_MAX - (int64_t)__atomic_load_n(word, __ATOMIC_ACQUIRE);
	if (room > INT32_MAX)
		room = INT32_MAX;
	*added = n < (uint64_t)room ? (uint32_t)n : (uint32_t)room;
	__atomic_fetch_add((uint32_t *)word, *added, __ATOMIC_SEQ_CST);
	return 0;
}

int guest_store_u32(const struct guest_mem *mem, gpa_t gpa, uint32_t value)
{
	uint8_t *to = to_host(mem, gpa, sizeof(value));

	if (!to)
		return -PV_EFAULT;
	if (gpa % sizeof(value))
		return -PV_EINVAL;
	__atomic_store_n((uint32_t *)(void *)to, value, __ATOMIC_RELEASE);
	return 0;
}

int guest_store_u64(const struct guest_mem *mem, gpa_t gpa, uint64_t value)
{
	uint8_t *to = to_host(mem, gpa, sizeof(value));

	if (!to)
		return -PV_EFAULT;
	if (gpa % sizeof(value))
		return -PV_EINVAL;
	__atomic_store_n((uint64_t *)(void *)to, value, __ATOMIC_RELEASE);
	return 0;
}
