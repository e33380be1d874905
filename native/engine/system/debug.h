/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Debug registers, and breakpoints of data and ports by them (Intel SDM vol. 3, 18.2), which Unicorn leaves out. While the guest has one
 * turned on, its code is translated anew, an instruction a block, and locked operations are trapped: the
 * exception is delivered between the block that has touched the operand and the next.
 */
#ifndef PV_DEBUG_H
#define PV_DEBUG_H

#include <stdbool.h>
#include <stdint.h>

struct cpu;
struct system;

enum { DEBUG_BREAKPOINTS = 4 };

struct debug {
	struct debug_watch {
		uint64_t address;
		uint64_t bytes; /* 0: none */
		bool reads;     /* are looked for, too */
		bool port;      /* an address of ports */
	} watch[DEBUG_BREAKPOINTS];
	uint32_t touched; /* by the instruction at `rip`: a bit for each, as in DR6 */
	uint64_t rip;
	bool repeats;     /* it is a rep: `rip` comes again after its last iteration */
};

/* As system_calls.ask, of a debug register; `wrote`: Unicorn has. */
int debug_ask(struct system *system, bool write, unsigned number, uint64_t *value);
void debug_wrote(struct system *system);
/* As in struct system_calls. */
int debug_watched(void *owner, uint64_t page, uint64_t bytes);
void debug_touched(void *owner, uint64_t address, uint64_t bytes, bool write);
void debug_touched_port(void *owner, uint32_t port, uint32_t bytes);
/* In front of the block at `rip`: #DB, if one is due: true. */
bool debug_deliver(struct system *system, uint64_t rip, bool in_block);
/* Unicorn reports an exception in front of `rip`. True: #DB comes first, and was delivered instead. */
bool debug_comes_first(struct system *system, uint32_t vector, uint64_t rip);

#endif
