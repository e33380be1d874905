/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest.h"

GUEST_DESCRIPTION("lines on the console from every vCPU; lines=1");

static uint64_t lines;

static void hello(void *arg)
{
	(void)arg;
	for (uint64_t i = 1; i <= lines; i++)
		console_printf("hello from vCPU %u of %u, line %lu\n", cpu_index(), cpu_count(), i);
}

int guest_main(void)
{
	option_only("lines", NULL);
	lines = option_number("lines", 1);
	smp_run_all(hello, NULL);
	return 0;
}
