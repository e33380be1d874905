/* SPDX-License-Identifier: GPL-2.0-only */
/* Code at CPL 3. All of RAM is mapped for it; only the privilege level differs. */
#ifndef GUEST_USER_H
#define GUEST_USER_H

#include "exception.h"

/* fn(arg) at CPL 3 on this vCPU's user stack; its return value, brought back by int 0x80. Not within itself. */
uint64_t user_run(uint64_t (*fn)(void *arg), void *arg);
/* At CPL 3: fn(arg) at CPL 0, by int 0x80, and back. */
uint64_t user_call_kernel(uint64_t (*fn)(void *arg), void *arg);

/* Serves int 0x80 from CPL 3. */
void user_request(struct exception_frame *frame);

#endif
