/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest under stress tells the host that it has come to rest: no event is open, every vCPU has been in host mode
 * since the last one was closed, and nobody will open another before this call returns. The host compares its books.
 */
#ifndef PV_QUIET_H
#define PV_QUIET_H

enum {
	/* RBX: overflows that the guest has taken since it began. Result: 0, or the bits below. With an agent in the VM,
	 * whose events do not rest, nothing is compared. */
	PV_HC_QUIET = 0x50560003,
};

enum pv_quiet {
	PV_QUIET_LOST = 1,   /* no host event is in memory, and raised != delivered + dropped */
	PV_QUIET_TAKEN = 2,  /* delivered is not what the guest has taken */
	PV_QUIET_EVENTS = 4, /* host events are still in memory */
	PV_QUIET_LIMIT = 8,  /* events count against the limit */
	PV_QUIET_DELAYED = 16, /* no fault: NMIs were missed or throttled, or guest memory failed, since it was asked last */
};

#endif
