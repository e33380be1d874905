/* SPDX-License-Identifier: GPL-2.0-only */
#include "program.h"

#include "image.h"

/* Keeps the compiler from turning a loop into a call of the function that it is in. */
#define KEEP_LOOP() __asm__ volatile("" : : : "memory")

extern char program_text[];
char program_text[IMAGE_TEXT];
static size_t length;

/* As a libc's does for what is long: one instruction for all of it. */
void *memcpy(void *to, const void *from, size_t n)
{
	void *t = to;

	__asm__ volatile("rep movsb" : "+D"(t), "+S"(from), "+c"(n) : : "memory");
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
	void *t = to;

	__asm__ volatile("rep stosb" : "+D"(t), "+c"(n) : "a"(byte) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (; n; n--, x++, y++) {
		if (*x != *y)
			return *x < *y ? -1 : 1;
		KEEP_LOOP();
	}
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	for (; s[n]; n++)
		KEEP_LOOP();
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (uint8_t)*a - (uint8_t)*b;
}

void print(const char *text)
{
	while (*text && length + 1 < IMAGE_TEXT)
		program_text[length++] = *text++;
}

static void print_base(uint64_t value, unsigned base)
{
	char digits[21] = "";
	unsigned at = sizeof(digits) - 1;

	do
		digits[--at] = "0123456789abcdef"[value % base];
	while (value /= base);
	print(digits + at);
}

void print_number(uint64_t value)
{
	print(length ? " " : "");
	print_base(value, 10);
}

void print_hex(uint64_t value)
{
	print(length ? " " : "");
	print_base(value, 16);
}

void check(bool right, const char *what)
{
	if (right)
		return;
	print(length ? " WRONG:" : "WRONG:");
	print(what);
}
