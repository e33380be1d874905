/* SPDX-License-Identifier: GPL-2.0-only */
/* Port I/O: what Unicorn leaves out of it is whether the guest may, and the exit of an out. */
#ifndef PV_PORT_H
#define PV_PORT_H

#include <stdbool.h>
#include <stdint.h>

struct pv_engine;
struct trap;

/* At an in, out, ins or outs: asks for permission, and exits for an out. */
void port_trap(struct pv_engine *e, const struct trap *trap);
/* An out that the guest may. False: the platform's devices have it; else the exit is for *to, with *value. */
bool port_reaches_host(struct pv_engine *e, uint16_t port, unsigned size, uint32_t *value, uint32_t *to);

#endif
