/* SPDX-License-Identifier: GPL-2.0-only */
#include "fuzz/memory.h"

#include <sanitizer/asan_interface.h>
#include <string.h>

#include "core/host/guest_mem.h"
#include "fuzz/model.h"
#include "fuzz/point.h"

#define UNSEEN __attribute__((no_sanitize("address")))

uint8_t memory_ram[FUZZ_RAM] __attribute__((aligned(4096)));
static uint8_t mirror[FUZZ_RAM] __attribute__((aligned(8)));
static uint32_t fails_in, failures;
static uint64_t added_sum;

void memory_reset(void)
{
	ASAN_UNPOISON_MEMORY_REGION(memory_ram, sizeof(memory_ram));
	memset(memory_ram, 0, sizeof(memory_ram));
	ASAN_POISON_MEMORY_REGION(memory_ram, sizeof(memory_ram));
	memset(mirror, 0, sizeof(mirror));
	fails_in = failures = 0;
	added_sum = 0;
}

UNSEEN void memory_store(gpa_t gpa, const void *from, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++) {
		if (gpa + i >= FUZZ_RAM)
			continue;
		*(volatile uint8_t *)&memory_ram[gpa + i] = ((const uint8_t *)from)[i];
		mirror[gpa + i] = ((const uint8_t *)from)[i];
	}
}

UNSEEN uint64_t memory_load(gpa_t gpa, uint64_t size)
{
	uint64_t ret = 0;

	for (uint64_t i = 0; i < size; i++)
		if (gpa + i < FUZZ_RAM)
			ret |= (uint64_t)*(volatile uint8_t *)&memory_ram[gpa + i] << 8 * i;
	return ret;
}

uint64_t memory_digest(void)
{
	uint64_t ret = 0;

	for (gpa_t i = 0; i < FUZZ_RAM; i += 8)
		ret = (ret ^ *(uint64_t *)(void *)&mirror[i]) * 0x100000001b3;
	return ret;
}

UNSEEN void memory_check(void)
{
	for (gpa_t i = 0; i < FUZZ_RAM; i += 8)
		if (*(volatile uint64_t *)(void *)&memory_ram[i] != *(uint64_t *)(void *)&mirror[i])
			fuzz_violation("guest memory at %#llx changed behind everybody's back", (unsigned long long)i);
}

void memory_fail(uint32_t n)
{
	fails_in = n;
}

uint32_t memory_failures(void)
{
	return failures;
}

uint64_t memory_added(void)
{
	return added_sum;
}

static bool inside(gpa_t gpa, uint64_t size)
{
	return gpa <= FUZZ_RAM && size <= FUZZ_RAM - gpa;
}

/* Before an access: somebody else may come in between, or it fails. */
static bool fails(const char *what, gpa_t gpa, uint64_t size)
{
	fuzz_point(what);
	if (!fails_in || --fails_in)
		return false;
	failures++;
	fuzz_note("%s at %#llx, size %llu: fails", what, (unsigned long long)gpa, (unsigned long long)size);
	return true;
}

static void begin(const struct guest_mem *mem, gpa_t gpa, uint64_t size)
{
	if (gpa <= mem->size && size <= mem->size - gpa)
		ASAN_UNPOISON_MEMORY_REGION(memory_ram + gpa, size);
}

/* In whole granules of 8, because less than one cannot be poisoned. */
static void end(gpa_t gpa, uint64_t size)
{
	if (inside(gpa, size))
		ASAN_POISON_MEMORY_REGION(memory_ram + gpa / 8 * 8, (gpa % 8 + size + 7) / 8 * 8);
}

static void begin_write(const struct guest_mem *mem, gpa_t gpa, uint64_t size)
{
	if (mem->size && inside(gpa, size) && !model_may_write(gpa, size))
		fuzz_violation("the host writes to %#llx, size %llu, where no open event has it", (unsigned long long)gpa,
			       (unsigned long long)size);
	begin(mem, gpa, size);
}

UNSEEN static void end_write(gpa_t gpa, uint64_t size)
{
	for (uint64_t i = 0; inside(gpa, size) && i < size; i++)
		mirror[gpa + i] = *(volatile uint8_t *)&memory_ram[gpa + i];
	end(gpa, size);
}

/* The linker puts these in front of guest_mem.c's (--wrap). */

int __real_guest_copy_in(const struct guest_mem *mem, gpa_t gpa, void *ret, uint64_t size);
int __wrap_guest_copy_in(const struct guest_mem *mem, gpa_t gpa, void *ret, uint64_t size);
int __real_guest_copy_out(const struct guest_mem *mem, gpa_t gpa, const void *from, uint64_t size);
int __wrap_guest_copy_out(const struct guest_mem *mem, gpa_t gpa, const void *from, uint64_t size);
int __real_guest_add_s32(const struct guest_mem *mem, gpa_t gpa, uint64_t n, uint32_t *added);
int __wrap_guest_add_s32(const struct guest_mem *mem, gpa_t gpa, uint64_t n, uint32_t *added);
int __real_guest_store_u32(const struct guest_mem *mem, gpa_t gpa, uint32_t value);
int __wrap_guest_store_u32(const struct guest_mem *mem, gpa_t gpa, uint32_t value);
int __real_guest_store_u64(const struct guest_mem *mem, gpa_t gpa, uint64_t value);
int __wrap_guest_store_u64(const struct guest_mem *mem, gpa_t gpa, uint64_t value);

int __wrap_guest_copy_in(const struct guest_mem *mem, gpa_t gpa, void *ret, uint64_t size)
{
	int error;

	if (fails("a read of guest memory", gpa, size))
		return -PV_EFAULT;
	begin(mem, gpa, size);
	error = __real_guest_copy_in(mem, gpa, ret, size);
	end(gpa, size);
	if (!error)
		model_copied_in(ret, size);
	return error;
}

int __wrap_guest_copy_out(const struct guest_mem *mem, gpa_t gpa, const void *from, uint64_t size)
{
	int error;

	if (fails("a write of guest memory", gpa, size))
		return -PV_EFAULT;
	begin_write(mem, gpa, size);
	error = __real_guest_copy_out(mem, gpa, from, size);
	end_write(gpa, size);
	return error;
}

/* Nobody comes in between from here on: what the word has more is what was added. */
int __wrap_guest_add_s32(const struct guest_mem *mem, gpa_t gpa, uint64_t n, uint32_t *added)
{
	uint32_t before;
	int error;

	*added = 0;
	if (fails("an addition to overflows", gpa, sizeof(int32_t)))
		return -PV_EFAULT;
	begin_write(mem, gpa, sizeof(int32_t));
	before = (uint32_t)memory_load(gpa, sizeof(int32_t));
	error = __real_guest_add_s32(mem, gpa, n, added);
	end_write(gpa, sizeof(int32_t));
	if ((uint32_t)memory_load(gpa, sizeof(int32_t)) - before != *added || *added > n)
		fuzz_violation("overflows said to be added, and not: %u of %llu, to %#llx", *added,
			       (unsigned long long)n, (unsigned long long)gpa);
	added_sum += *added;
	if (*added < n)
		model_word_is_full();
	return error;
}

int __wrap_guest_store_u32(const struct guest_mem *mem, gpa_t gpa, uint32_t value)
{
	int error;

	if (fails("a write of guest memory", gpa, sizeof(value)))
		return -PV_EFAULT;
	begin_write(mem, gpa, sizeof(value));
	error = __real_guest_store_u32(mem, gpa, value);
	end_write(gpa, sizeof(value));
	return error;
}

int __wrap_guest_store_u64(const struct guest_mem *mem, gpa_t gpa, uint64_t value)
{
	int error;

	if (fails("a write of guest memory", gpa, sizeof(value)))
		return -PV_EFAULT;
	begin_write(mem, gpa, sizeof(value));
	error = __real_guest_store_u64(mem, gpa, value);
	end_write(gpa, sizeof(value));
	return error;
}
