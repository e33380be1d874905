/* SPDX-License-Identifier: GPL-2.0-only */
/* A thread that wakes when it asked to. */
#ifndef PV_PUNCTUAL_H
#define PV_PUNCTUAL_H

/* For the calling thread, from now on; where the kernel does not grant it, it wakes later, and nothing else is wrong. */
void punctual_be(void);

#endif
