/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/count/cpu.h"

#include <stdarg.h>
#include <stdio.h>

void cpu_fail(struct cpu *cpu, int error, const char *why, ...)
{
	struct pv_run *run = cpu->config.run;
	va_list args;

	va_start(args, why);
	vsnprintf(run->text, sizeof(run->text), why, args);
	va_end(args);
	run->arg[0] = (uint64_t)(int64_t)error;
	cpu->failure = error;
	cpu->calls->failed(cpu);
}
