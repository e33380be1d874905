/* SPDX-License-Identifier: GPL-2.0-only */
/* The console: a byte at a time to its port. Lines of different vCPUs do not mix. */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H

#include <stdarg.h>
#include <stddef.h>

enum { CONSOLE_LINE = 512 }; /* one call prints no more than this */

/*
 * %d %i %u %x %c %s %p %%, with l or z; with a width, `0` and `-` before it. Returns what
 * it would have needed without the limit of `size`, the NUL not counted, like snprintf.
 */
int string_vprintf(char *buffer, size_t size, const char *format, va_list args);
int string_printf(char *buffer, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

void console_write(const char *bytes, size_t n);
void console_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What a noun ends with, behind that many. */
static inline const char *plural(unsigned long number)
{
	return number == 1 ? "" : "s";
}

/* Before the last words of a crash: whoever holds the console's lock will not go on. */
void console_break_lock(void);

#endif
