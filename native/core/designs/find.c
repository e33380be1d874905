/* SPDX-License-Identifier: GPL-2.0-only */
#include "core/designs/find.h"

#include <stddef.h>
#include <string.h>

#include "core/overflow/nmi.h"

static const struct pv_design *const designs[] = {
	&design_per_vm, &design_posted, &design_no_refcount, &design_per_vcpu,
};
static const struct pv_nmi_policy *const nmi_policies[] = { &nmi_trylock, &nmi_deferred, &nmi_lockless };
static const struct pv_sync_policy sync_policies[] = {
	{ .name = "entry", .at_entry = true },
	{ .name = "every-exit", .at_entry = false },
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

const struct pv_design *design_find(const char *name)
{
	for (size_t i = 0; name && i < COUNT_OF(designs); i++)
		if (!strcmp(designs[i]->name, name))
			return designs[i];
	return NULL;
}

const struct pv_nmi_policy *nmi_policy_find(const char *name)
{
	for (size_t i = 0; name && i < COUNT_OF(nmi_policies); i++)
		if (!strcmp(nmi_policies[i]->name, name))
			return nmi_policies[i];
	return NULL;
}

const struct pv_sync_policy *sync_policy_find(const char *name)
{
	for (size_t i = 0; name && i < COUNT_OF(sync_policies); i++)
		if (!strcmp(sync_policies[i].name, name))
			return &sync_policies[i];
	return NULL;
}
