/* SPDX-License-Identifier: GPL-2.0-only */
/* SYSCALL and SYSENTER: Unicorn's hooks; `data` is the CPU. */
#ifndef PV_FAST_CALL_H
#define PV_FAST_CALL_H

#include <unicorn/unicorn.h>

void on_syscall(uc_engine *uc, void *data);
void on_sysenter(uc_engine *uc, void *data);

#endif
