/* SPDX-License-Identifier: GPL-2.0-only */
/* host_thread.c where others play the host's threads: fibers, the stress's players, or the fuzzer's one thread. */
#include "core/host/host.h"
#include "core/vm/host_thread.h"

int host_threads_start(struct pv_vm *vm)
{
	return end_start(vm, vm->config.vcpus);
}

void host_threads_join(struct pv_vm *vm)
{
	(void)vm;
}

void host_thread_adopt(struct pv_vm *vm, struct pv_thread *thread, const char *name)
{
	(void)vm;
	(void)thread;
	(void)name;
}
