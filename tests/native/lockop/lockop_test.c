/* SPDX-License-Identifier: GPL-2.0-only */
/* lockop_test [forms STATES | decode ROUNDS | atomicity ITERATIONS]... */
#include "lockop_test.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockop_native.h"

static unsigned tests, failures;

void report(bool ok, const char *format, ...)
{
	va_list arguments;

	tests++;
	failures += !ok;
	printf("%s: ", ok ? "PASS" : "FAIL");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

int main(int argc, char **argv)
{
	native_create();
	for (int i = 1; i + 1 < argc; i += 2) {
		unsigned amount = (unsigned)strtoul(argv[i + 1], NULL, 10);

		if (!strcmp(argv[i], "forms"))
			test_forms(amount);
		else if (!strcmp(argv[i], "decode"))
			test_decode(amount);
		else if (!strcmp(argv[i], "atomicity"))
			test_atomicity(amount);
		else
			report(false, "no test is called %s", argv[i]);
	}
	native_destroy();
	printf("SUMMARY: %u tests, %u failures\n", tests, failures);
	return failures || !tests;
}
