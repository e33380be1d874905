/* SPDX-License-Identifier: GPL-2.0-only */
/* Exceptions by the names that the processor's manuals give them (SDM vol. 3, table 6-1). For guest and host. */
#ifndef PV_EXCEPTION_NAME_H
#define PV_EXCEPTION_NAME_H

/* "#GP", or NULL where the vector is no exception. */
static inline const char *exception_name(unsigned long vector)
{
	static const char names[][4] = {
		"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "", "#TS",
		"#NP", "#SS", "#GP", "#PF", "", "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
	};

	return vector < sizeof(names) / sizeof(names[0]) && names[vector][0] ? names[vector] : 0;
}

#endif
