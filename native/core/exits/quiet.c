/* SPDX-License-Identifier: GPL-2.0-only */
/* PV_HC_QUIET: the law of the ledger, and that nothing is left, at a point where the guest says that all is quiet. */
#include "abi/quiet.h"
#include "core/exits/exit.h"
#include "core/host/host.h"

/* Since the last time, has anything kept overflows from the guest for a while? */
static bool was_delayed(struct overflow_ledger *ledger)
{
	uint64_t delays = pv_u64_load(&ledger->misses) + pv_u64_load(&ledger->failed) + pv_u64_load(&ledger->throttled);

	return pv_u64_exchange(&ledger->delays_told, delays) != delays;
}

int64_t quiet_check(struct pv_vcpu *vcpu, uint64_t taken)
{
	struct pv_vm *vm = vcpu->vm;
	uint64_t raised = pv_u64_load(&vm->ledger.raised), delivered = pv_u64_load(&vm->ledger.delivered);
	uint64_t dropped = pv_u64_load(&vm->ledger.dropped), events = event_set_count(&vm->events);
	struct table_figures figures;
	int64_t found = 0;

	if (vm->config.agent_start.rip)
		return 0; /* it has events of its own, and is never quiet */
	vm->design->figures(vm, &figures);
	if (!events && raised != delivered + dropped) /* of those that there are, the shadows are not added up */
		found |= PV_QUIET_LOST;
	if (delivered != taken)
		found |= PV_QUIET_TAKEN;
	if (events)
		found |= PV_QUIET_EVENTS;
	if (figures.open)
		found |= PV_QUIET_LIMIT;
	if (was_delayed(&vm->ledger))
		found |= PV_QUIET_DELAYED;
	pv_u64_count(&vcpu->figures.quiet_points, 1);
	return found;
}
