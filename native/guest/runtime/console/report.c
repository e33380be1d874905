/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest.h"

enum { REPORT_LEVELS = 8 };

static const char *prefixes[REPORT_LEVELS];
static unsigned levels;
static uint32_t tests, failures, skipped;

void report_prefix_push(const char *prefix)
{
	if (levels < REPORT_LEVELS)
		prefixes[levels] = prefix;
	levels++;
}

void report_prefix_pop(void)
{
	if (levels)
		levels--;
}

static void report_line(const char *verdict, const char *format, va_list args)
{
	char line[CONSOLE_LINE];
	int at = string_printf(line, sizeof(line), "%s: ", verdict), room;

	for (unsigned i = 0; i < levels && i < REPORT_LEVELS; i++) {
		room = CONSOLE_LINE - at;
		at += string_printf(line + at, (size_t)room, "%s: ", prefixes[i]);
		if (at > CONSOLE_LINE / 2)
			break;
	}
	at = at < CONSOLE_LINE - 2 ? at : CONSOLE_LINE - 2;
	room = CONSOLE_LINE - 1 - at;
	at += string_vprintf(line + at, (size_t)room, format, args);
	at = at < CONSOLE_LINE - 2 ? at : CONSOLE_LINE - 2;
	line[at++] = '\n';
	console_write(line, (size_t)at);
}

void report(bool ok, const char *format, ...)
{
	va_list args;

	atomic_fetch_add(&tests, 1u);
	if (!ok)
		atomic_fetch_add(&failures, 1u);
	va_start(args, format);
	report_line(ok ? "PASS" : "FAIL", format, args);
	va_end(args);
}

void report_skip(const char *format, ...)
{
	va_list args;

	atomic_fetch_add(&tests, 1u);
	atomic_fetch_add(&skipped, 1u);
	va_start(args, format);
	report_line("SKIP", format, args);
	va_end(args);
}

int report_summary(void)
{
	if (skipped)
		console_printf("SUMMARY: %u tests, %u failures, %u skipped\n", tests, failures, skipped);
	else
		console_printf("SUMMARY: %u tests, %u failures\n", tests, failures);
	return failures || !tests;
}
