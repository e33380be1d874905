/* SPDX-License-Identifier: GPL-2.0-only */
/* What branch.h says of instructions, a line of hexadecimal digits each: whether it is a branch, and whether it repeats. */
#include "branch.h"

#include <stdio.h>

int main(void)
{
	char line[64];

	while (fgets(line, sizeof(line), stdin)) {
		uint8_t code[32] = { 0 };
		unsigned byte;

		for (unsigned i = 0; i < 15 && sscanf(line + 2 * i, "%2x", &byte) == 1; i++)
			code[i] = (uint8_t)byte;
		printf("%d%d\n", branch_is(code), branch_repeats(code));
	}
	return 0;
}
