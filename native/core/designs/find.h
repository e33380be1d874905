/* SPDX-License-Identifier: GPL-2.0-only */
/* What there is of each interface that can be swapped. */
#ifndef PV_FIND_H
#define PV_FIND_H

#include "core/host/policy.h"

extern const struct pv_design design_per_vm, design_per_vcpu, design_no_refcount, design_posted;

/* NULL: no policy of that name. */
const struct pv_design *design_find(const char *name);
const struct pv_nmi_policy *nmi_policy_find(const char *name);
const struct pv_sync_policy *sync_policy_find(const char *name);

#endif
