/* SPDX-License-Identifier: GPL-2.0-only */
/* What a VM is made of. */
#ifndef PV_VM_CONFIG_H
#define PV_VM_CONFIG_H

#include "core/vm/vm.h"

struct pv_host_hooks;

/* vm_create() with other hooks. */
int vm_create_hooked(const struct pv_vm_config *config, const struct pv_host_hooks *hooks,
		     struct pv_vm **ret, char *why, uint64_t why_size);
/* The first field that is wrong, as a sentence; NULL: all are right. */
const char *vm_config_check(const struct pv_vm_config *config);
/* Takes it over into a new VM and its page, with defaults for what it leaves open. */
void vm_config_apply(struct pv_vm *vm, const struct pv_vm_config *config);

#endif
