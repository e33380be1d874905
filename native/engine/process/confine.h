/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef PV_CONFINE_H
#define PV_CONFINE_H

#include <stdint.h>

/*
 * Of the VM's segment, which a vCPU process inherits whole, leaves it what it may touch: its own run page and RAM, and the
 * VM page to read, through a descriptor that cannot write. 0, or a negative errno.
 */
int engine_confine(uint8_t *segment, uint32_t vcpus, uint32_t vcpu, int read_only);

#endif
