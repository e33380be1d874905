/* SPDX-License-Identifier: GPL-2.0-only */
/* What entering and leaving a program costs, to be taken from the counts of the others. */
#include "program.h"

void program(void)
{
}
