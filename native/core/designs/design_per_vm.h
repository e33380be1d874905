/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of design "per-vm" that other designs keep. */
#ifndef PV_DESIGN_PER_VM_H
#define PV_DESIGN_PER_VM_H

#include "core/host/policy.h"

int per_vm_create(struct pv_vm *vm);
void per_vm_destroy(struct pv_vm *vm);
void per_vm_figures(struct pv_vm *vm, struct table_figures *ret);
int per_vm_insert(struct pv_vm *vm, struct pv_vcpu *vcpu, struct host_event *event);
struct host_event *per_vm_get(struct pv_vm *vm, struct pv_vcpu *vcpu, int32_t id);
struct host_event *per_vm_remove(struct pv_vm *vm, struct pv_vcpu *vcpu, int32_t id);
struct pv_vcpu *per_vm_place(struct pv_vcpu *vcpu, struct host_event *event);

#endif
