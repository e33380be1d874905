/* SPDX-License-Identifier: GPL-2.0-only */
/* The VM's threads, and others that its panics are told of. */
#ifndef PV_HOST_THREAD_H
#define PV_HOST_THREAD_H

#include "core/locks/panic.h"

struct pv_vm;

int host_threads_start(struct pv_vm *vm);
void host_threads_join(struct pv_vm *vm);
/* Makes the calling thread one that the VM's panics are told of. */
void host_thread_adopt(struct pv_vm *vm, struct pv_thread *thread, const char *name);
/* vm_api.c: calls what takes locks from a thread that is none of the VM's, so that a host panic
 * unwinds it like any other. False: it did. */
bool vm_api_call(struct pv_vm *vm, void (*fn)(void *arg), void *arg);

#endif
