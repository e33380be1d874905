/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest.h"

/* Keeps the compiler from turning a loop into a call of the function that it is in. */
#define KEEP_LOOP() __asm__ volatile("" : : : "memory")

static uint64_t next_free;

void *memcpy(void *to, const void *from, size_t n)
{
	char *t = to;
	const char *f = from;

	for (; n >= 8; n -= 8, t += 8, f += 8) {
		__builtin_memcpy(t, f, 8);
		KEEP_LOOP();
	}
	for (; n; n--) {
		*t++ = *f++;
		KEEP_LOOP();
	}
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	char *t = to;
	const char *f = from;

	if (t <= f || t >= f + n)
		return memcpy(to, from, n);
	while (n--) {
		t[n] = f[n];
		KEEP_LOOP();
	}
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	uint64_t word = 0x0101010101010101u * (uint8_t)byte;
	char *t = to;

	for (; n >= 8; n -= 8, t += 8) {
		__builtin_memcpy(t, &word, 8);
		KEEP_LOOP();
	}
	for (; n; n--) {
		*t++ = (char)byte;
		KEEP_LOOP();
	}
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x < *y ? -1 : 1;
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n]) {
		n++;
		KEEP_LOOP();
	}
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

void memory_start(void)
{
	uint64_t areas = (boot_info()->first_free + 4095) & ~4095ull;

	next_free = areas + (uint64_t)CPU_AREA * cpu_count();
}

void *memory_allocate(size_t bytes, size_t align)
{
	uint64_t ram = boot_info()->ram_size, old = atomic_load(&next_free), at;

	do {
		at = (old + align - 1) & ~(align - 1);
		if (at > ram || bytes > ram - at)
			return NULL;
	} while (!atomic_compare_exchange(&next_free, &old, at + bytes));
	return memset((void *)at, 0, bytes);
}

void *memory_need(size_t bytes, size_t align)
{
	void *memory = memory_allocate(bytes, align);

	if (!memory) {
		console_printf("guest: no memory for %zu bytes: give the VM more with -m\n", bytes);
		guest_exit(STATUS_USAGE);
	}
	return memory;
}
