/* SPDX-License-Identifier: GPL-2.0-only */
/* What an instruction does with ports, beside its direction. */
#ifndef PV_PORT_ACCESS_H
#define PV_PORT_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

struct port_access {
	uint8_t size;  /* bytes */
	bool in_dx;    /* the port; or else */
	uint8_t immediate;
};

/* Of an in, out, ins or outs, from its bytes. */
struct port_access port_decode(const uint8_t *code, unsigned length);

#endif
