/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Design "no-refcount": scenario 2 of the mail. Nobody counts who works on an event: close
 * frees what another vCPU has just found, or has running or queued. What is freed is poisoned
 * and kept in quarantine, so that its use is a host panic that names both sides.
 */
#include "core/designs/design_per_vm.h"
#include "core/designs/find.h"
#include "core/exits/perf_op.h"
#include "core/host/host.h"
#include "core/overflow/delivery.h"

static void no_reference(struct host_event *event)
{
	(void)event;
}

const struct pv_design design_no_refcount = {
	.name = "no-refcount",
	.abi_version = KVM_PV_PERF_ABI_VERSION,
	.create = per_vm_create,
	.destroy = per_vm_destroy,
	.figures = per_vm_figures,
	.open = event_open,
	.open2 = event_open2,
	.insert = per_vm_insert,
	.get = per_vm_get,
	.remove = per_vm_remove,
	.release = event_free,
	.hold = no_reference,
	.put = no_reference,
	.place = per_vm_place,
	.queue = queue_add,
	.deliver = deliver_overflows,
	.finish = deliver_overflows,
};
