/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The engine's own state, shared by its files and nobody else.
 *
 * How counting works. Unicorn calls on_block() before it executes a translation
 * block, with what is known of that very block (blocks.c). The block is charged there,
 * whole, with what it will retire; whatever ends it early (a fault, a locked operation,
 * a store into itself, a VM exit) takes back what did not retire. So between blocks the
 * totals are exact, and inside one they are ahead by a known number of instructions.
 *
 * What a block retires is charged with one subtraction: `budget` holds the instructions left
 * before the next look at the doorbell in its upper bits, and the branches and the locked
 * operations charged since the last fold in its lower ones. It starts so small that it
 * goes below zero at the block that may reach an alarm (alarm.c).
 */
#ifndef PV_ENGINE_STATE_H
#define PV_ENGINE_STATE_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <capstone/capstone.h>
#include <unicorn/unicorn.h>

#include "engine/run/engine.h"
#include "engine/unicorn/fast_store.h"
#include "abi/handover.h"
#include "engine/count/hooks.h"
#include "engine/atomic/lockop.h"
#include "engine/run/placement.h"
#include "engine/atomic/span.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

enum {
	BRANCH_BITS = 16, /* of a budget, the lowest: more than can be charged between two folds */
	LOCKED_BITS = 16, /* the next */
	INSTRUCTION_SHIFT = BRANCH_BITS + LOCKED_BITS,
	CHUNK_INSTRUCTIONS = 10000, /* between two looks at the doorbell */
	REP_DOORBELL = 1024,        /* the same, in iterations of a rep */
	PAUSES_TO_YIELD = 32,       /* a spinning vCPU then lets another have the core */
	BLOCKS = 1 << 16,           /* translated ones, until all are dropped and translated anew */
	BLOCKS_RESERVE = 1 << 10,   /* how many may come before they are */
	MAX_INSTRUCTION = 15,       /* bytes */
	BLOCK_MAX_BYTES = 8192,     /* Unicorn ends a block within a page and one instruction */
	RETAKEN_BITS = 6,
	RETAKEN = 1 << RETAKEN_BITS,
	RETAKEN_OFTEN = 4,          /* times that a block may be translated again before its traps are expected always */
	REST_BYTES = 1024,          /* of code that may have more calls of on_trap() than it has traps */
	TCG_BUFFER_BYTES = 64 << 20,
};

/* Why a block never takes the fast path. */
enum {
	BLOCK_REP = 1 << 0,        /* ends in a rep-prefixed string instruction */
	BLOCK_RING = 1 << 1,       /* may change CPL natively: iret, sysret, far transfers */
	BLOCK_SPACE = 1 << 2,      /* may change what addresses mean, and so serialises: mov to cr3, invlpg, wrmsr */
	BLOCK_LONE_STORE = 1 << 3, /* one instruction that writes memory: see count.c */
	BLOCK_PAUSE = 1 << 4,
	BLOCK_UNKNOWN = 1 << 5,    /* ends in bytes that must turn out to be no instruction */
	BLOCK_IRET = 1 << 6,       /* ends in iret, which lets NMIs through again */
	BLOCK_DROPPED = 1 << 7,    /* must never be executed: it was translated without its traps */
};

enum trap_kind {
	TRAP_LOCKED,
	TRAP_OUT,     /* asks for permission, and exits */
	TRAP_PORT,    /* in, ins, outs: only asks for permission, Unicorn executes them */
	TRAP_FENCE,   /* mfence: Unicorn, which thinks it has the memory to itself, leaves it out */
	TRAP_WATCHED, /* of a breakpoint */
};

/* What an instruction does with ports, beside its direction. */
struct port_access {
	uint8_t size;  /* bytes */
	bool in_dx;    /* the port; or else */
	uint8_t immediate;
};

/* An instruction that a code hook executes in Unicorn's place, or adds to. */
struct trap {
	uint64_t address;
	enum trap_kind kind;
	uint8_t length;
	struct lockop locked;
	struct port_access port;
	/* Where a block has traps that is translated next: here, for what is translated again, alone, as an
	 * iteration of a rep or a store into its own block is; otherwise behind it, or NOWHERE. */
	uint64_t next_first, next_last;
};

/* No instruction lies there: the address is not canonical. */
#define NOWHERE (1ull << 63)

/* What an execution subtracts from the budget while the block has to take the slow path: all of it. */
#define COST_SLOW ((int64_t)1 << 62)

/* A translation block, decoded when it is first executed: until then its size is 0. */
struct block {
	int64_t cost;  /* what one execution subtracts from the budget, or COST_SLOW */
	struct pv_engine *engine;
	uint64_t address;
	uint32_t size;  /* bytes */
	uint32_t flags;
	uint16_t instructions; /* that it can retire: up to the first trap */
	uint16_t last_offset;
	uint16_t last_is_branch;
	uint16_t traps;
	uint16_t locked; /* of the instructions: atomic operations that are executed in the block */
	enum branch_kind branch; /* of the last */
	uint16_t *offset; /* of each instruction, from `address`; with OFFSET_LOCKED */
	struct trap *trap;
};

_Static_assert(sizeof(struct block) == 64, "a cache line");

enum { OFFSET_LOCKED = 1 << 15 };
_Static_assert((int)BLOCK_MAX_BYTES <= (int)OFFSET_LOCKED, "an offset and a bit");
_Static_assert((int)CHUNK_INSTRUCTIONS + (int)BLOCK_MAX_BYTES < 1 << BRANCH_BITS, "as many branches at most");
_Static_assert((int)LOCKED_BITS >= (int)BRANCH_BITS, "and locked operations");

/* A hook as Unicorn keeps it, as far as it looks at that when it translates. */
struct hook_record {
	uint64_t begin, end;
	void *callback, *data;
};

/* One struct block for each of Unicorn's translation blocks: see blocks.c. */
struct blocks {
	struct block *all;
	uint32_t used; /* of `all`; the last waits for the next translation */
	struct hook_record *hook;  /* on_block()'s */
	struct hook_record *traps; /* on_trap()'s */
	uintptr_t code;            /* where Unicorn put the first translation */
	struct retaken { uint64_t address; unsigned times; } retaken[RETAKEN]; /* by address: translated again for traps */
	uint64_t rest_first, rest_last; /* traps that every translation comes with, or NOWHERE */
};

/* Whether Unicorn translates LOCK for a guest with several CPUs: see parallel.c. */
struct parallel {
	bool able; /* it does what it is asked to, and nothing came up that it cannot do */
	bool on;   /* for everything that is translated now */
	bool exchanges; /* xchg, too */
};

/* What wants a look before the next block is charged. */
enum {
	ATTEND_RING = 1 << 0,    /* CPL may have changed */
	ATTEND_SPACE = 1 << 1,   /* addresses mean something else */
	ATTEND_FLUSH = 1 << 2,   /* leave Unicorn and drop translated code */
	ATTEND_UNKNOWN = 1 << 3, /* the last block should have raised #UD */
	ATTEND_ENTRY = 1 << 4,   /* the host's answer to an exit that could not act on it at once */
	ATTEND_IRET = 1 << 5,    /* the last block ended in an iret while an NMI was in service */
	ATTEND_ALARM = 1 << 6,   /* an alarm may have been reached */
	ATTEND_INJECT = 1 << 7,  /* an NMI is pending */

	/* boundary.c's: they wait until it is known what the last block retired. */
	ATTEND_BOUNDARY = ATTEND_FLUSH | ATTEND_ENTRY | ATTEND_IRET | ATTEND_ALARM | ATTEND_INJECT,
};

/* What was charged ahead of the point that is looked at. */
struct charged {
	uint64_t instructions, branches, locked;
};

/* Counters stand still while depth is not 0; what goes to the totals meanwhile is thrown away. */
struct freeze {
	unsigned depth; /* handlers in service, one interrupting the other */
	uint64_t total[PV_COUNTS][PV_CPLS];
};

struct nmi {
	bool pending;    /* came, and waits to be delivered */
	bool in_service; /* from delivery to IRET: another one waits */
};

/* The agent, as the guest's CPU has it: agent.c. */
struct agent {
	struct pv_engine *cpu; /* NULL: there is none */
	bool entered;          /* since it came to be */
	bool pending;          /* an NMI came, and waits for the next boundary */
};

/* The same as its own CPU has it. */
struct agent_of {
	uint64_t rip; /* of the guest, in front of which the agent runs */
	bool nmi;     /* in the handler */
	bool done;    /* the handler has ended */
	bool finish;  /* the host has sent the vCPU into the agent's finish: behind the handler */
};

/* Where Unicorn keeps what its API does not show, as offsets into a saved context. */
struct hidden_fields {
	size_t error_code, is_int, old_exception, hflags, segments;
};

struct oracle {
	uint64_t count[2][PV_CPLS]; /* PV_COUNT_INSTRUCTIONS, PV_COUNT_BRANCHES */
	uint64_t address;
	uint8_t bytes[16];
	uint32_t size;
	uint32_t cpl;
	bool pending;
};

struct pv_engine {
	/* The block hook's line. */
	int64_t budget;
	struct block *current; /* charged last, and may still be executing */

	int64_t chunk; /* instructions that `budget` started from */
	int64_t unlooked; /* instructions folded since the doorbell was looked at */
	uint32_t attend;
	uint32_t cpl;       /* PV_CPL_KERNEL or PV_CPL_USER */
	uint32_t known_cs[PV_CPLS]; /* selectors seen to be of 64-bit code */
	/* Of cycles, what is counted beside the one of each instruction: all, if cycles_tsc. */
	uint64_t total[PV_COUNTS][PV_CPLS];
	struct freeze freeze;
	uint64_t tsc_start; /* of the guest-mode interval that is not yet in total */
	bool cycles_watched; /* an alarm for cycles has been armed: blocks with locked operations are looked at */
	uint64_t overflowed_at; /* instructions retired by the PV_EXIT_OVERFLOW that left its alarm as it was */

	struct pv_engine_config config;
	uc_engine *uc;
	uc_context *context;
	struct hidden_fields hidden;
	csh capstone;
	cs_insn *insn;        /* being decoded */
	struct lockop locked; /* the same, if it is_locked */
	bool is_locked;
	struct blocks blocks;
	struct parallel parallel;
	struct fast_stores stores;
	bool stores_able; /* they were seen to work */
	struct span span;    /* for locked operations across pages that are no neighbours in RAM */
	uint64_t *code_lines; /* by page, a bit per CODE_LINE bytes of RAM that a block was decoded from */
	uint64_t rep_iterations;
	uint32_t pauses;
	uint32_t cpuid1[4];
	bool stop;    /* the host said so, or the VM is over */
	bool out_exited; /* the out that Unicorn is about to execute */
	bool flush;   /* drop translated code before going on */
	int failure;  /* negative errno once PV_EXIT_ERROR was raised */
	struct oracle oracle;
	struct nmi nmi;
	struct agent agent;
	struct pv_engine *guest; /* of the agent's CPU: the guest's; NULL: this is the guest's */
	struct agent_of agent_of;
	struct hooks hooks;
	struct placement placement; /* of a vCPU that may part from its host thread */
	cpu_set_t other_cores;
};

/* engine.c */
/* A hand-over took so many ticks: where a vCPU that may part from its host thread runs from now on. */
void engine_place(struct pv_engine *e, uint64_t ticks);
/* Executes, from RIP on, until `stop` is set. */
void engine_go_on(struct pv_engine *e);
/* A block hook that does nothing. */
void on_block_empty(uc_engine *uc, uint64_t address, uint32_t size, void *data);

/* registers.c: by Unicorn's number. */
uint64_t reg_get(struct pv_engine *e, int reg);
void reg_set(struct pv_engine *e, int reg, uint64_t value);
/* RIP, from inside a hook of the running block: the block is left at once. */
void rip_set_in_block(struct pv_engine *e, uint64_t rip);
/* RIP, from a hook that is called between blocks, or with Unicorn stopped. */
void rip_set(struct pv_engine *e, uint64_t rip);
void jump_load(struct pv_engine *e, const struct pv_jump *jump, bool in_block);

/* blocks.c */
/* -EOPNOTSUPP: this Unicorn does not translate a block with what its hooks have at that moment. Tried on this page. */
int blocks_calibrate(struct pv_engine *e, uint64_t page);
/* Adds the hooks. */
int blocks_create(struct pv_engine *e);
void blocks_destroy(struct pv_engine *e);
/* Those with locked operations: they take the slow path the next time. */
void blocks_slow_locked(struct pv_engine *e);
/* Call it when Unicorn was made to drop every translation. */
void blocks_forget(struct pv_engine *e);
/* A block is executed for the first time, and its translation lies at `code`. False: the engine has failed. */
bool blocks_take(struct pv_engine *e, const struct block *block, const void *code);
/* That block was decoded. False: its traps are not called, unless it is translated again. */
bool blocks_trap(struct pv_engine *e, const struct block *block);
/* This trap is about to be executed: the next translation comes with the traps that it will have. */
void blocks_expect(struct pv_engine *e, const struct trap *trap);

/* parallel.c */
/* Finds out, on this page, whether this Unicorn can. */
void parallel_calibrate(struct pv_engine *e, uint64_t page);
/* Call it when Unicorn was made to drop every translation: what is translated now may be translated otherwise. */
void parallel_choose(struct pv_engine *e);
/* Between blocks, if Unicorn ended the emulation: for a locked operation, which is executed again, and trapped? */
bool parallel_gave_up(struct pv_engine *e);
/* What addresses mean has changed, or what may be done there. */
void parallel_look(struct pv_engine *e);

/* stores.c */
/* Finds out, on this page and the next two, whether stores can go the short way. */
void stores_calibrate(struct pv_engine *e, uint64_t page);
/* As parallel_choose(). */
void stores_choose(struct pv_engine *e);
void stores_destroy(struct pv_engine *e);
/* All of them, to pages with code? Of one engine in a process alone. */
bool stores_are_looked_at(const struct pv_engine *e);
/* This page, in which there was none, holds code. */
void stores_look(struct pv_engine *e);

/* decode.c */
int decode_create(struct pv_engine *e);
void decode_destroy(struct pv_engine *e);
/* Fills the block. False: it cannot be decoded; the engine has failed. */
bool decode_block(struct pv_engine *e, struct block *block, uint64_t address, uint32_t size);
/* The bytes of code from `rip` on, as far as they can be executed: how many. */
unsigned decode_fetch(struct pv_engine *e, uint64_t rip, uint8_t code[MAX_INSTRUCTION]);

/* count.c */
void on_block(uc_engine *uc, uint64_t address, uint32_t size, void *data);
void count_fold(struct pv_engine *e);
/* Takes back what the current block was charged beyond `rip`; the block is over. */
void count_leave_block(struct pv_engine *e, uint64_t rip);
/* Totals into the run page, less what the current block was charged from `rip` on. */
void count_publish(struct pv_engine *e, uint64_t rip);
/* Every counter, whether or not it is wanted, with the totals exact. */
void count_publish_all(struct pv_engine *e);
void count_take_back_branch(struct pv_engine *e, unsigned cpl);
void count_attend(struct pv_engine *e, uint32_t what);
void count_penalty(struct pv_engine *e, uint64_t cycles);
/* What the current block was charged from `rip` on. */
struct charged count_ahead(const struct pv_engine *e, uint64_t rip);
/* A counter less what was charged ahead. */
uint64_t count_value(const struct pv_engine *e, unsigned counter, unsigned cpl, const struct charged *ahead);
/* The privilege level from here on. */
void count_enter_cpl(struct pv_engine *e, unsigned cpl);

/* freeze.c: all counters but PV_COUNT_GUEST_TSC, with the totals exact. May be nested. */
void count_freeze(struct pv_engine *e);
void count_thaw(struct pv_engine *e);
static inline bool count_frozen(const struct pv_engine *e)
{
	return e->freeze.depth;
}

/* alarm.c */
/* Instructions, at most `most`, that can be charged before any alarm may be reached. 0 and
 * ATTEND_ALARM: one is, if all that was charged retires. */
int64_t alarm_chunk(struct pv_engine *e, int64_t most);
/* The host may have armed others. */
void alarm_entered(struct pv_engine *e);
/* Is one reached by what has retired in front of `rip`? */
bool alarm_reached(const struct pv_engine *e, uint64_t rip);
/* The same for one counter alone, which has just been added to: asks for a look. */
void alarm_look(struct pv_engine *e, unsigned counter);
static inline bool alarm_is_armed(const struct pv_engine *e, unsigned counter)
{
	return e->config.run->armed >> (counter * PV_ALARM_LEVELS) & ((1u << PV_ALARM_LEVELS) - 1);
}

/* Adds to a counter that blocks are not charged for: one at or above PV_COUNTS_AT_EXIT. */
static inline void count_event(struct pv_engine *e, unsigned counter, uint64_t n)
{
	e->total[counter][e->cpl] += n;
	if (unlikely(alarm_is_armed(e, counter)))
		alarm_look(e, counter);
}

/* boundary.c */
/*
 * What may come between two blocks: the end of an NMI, the doorbell, an alarm, an NMI.
 * `e->current` must be a block that contains `rip` and has not retired from there on, or
 * NULL. False: the vCPU has left for elsewhere, or stopped.
 */
bool boundary_attend(struct pv_engine *e, uint64_t rip, bool in_block);
/* The same in the midst of the current block: an alarm that is reached and an NMI come before the exit at `rip`. */
bool boundary_attend_inside(struct pv_engine *e, uint64_t rip);
/* The current block is left in front of `rip`, which is not begun. */
void boundary_leave_inside(struct pv_engine *e, uint64_t rip);

/* branch.c: of a branch instruction. */
enum branch_kind branch_kind(const cs_insn *insn);

/* trap.c */
void on_trap(uc_engine *uc, uint64_t address, uint32_t size, void *data);
/* May the guest be kept from executing what it may write? */
bool trap_may_be_no_execute(struct pv_engine *e);
/* Has what lies at either end of these few bytes, which may be written, been executed? */
bool trap_holds_code(struct pv_engine *e, uint64_t address, unsigned width);
/* Is there a locked operation at `rip`? */
bool trap_is_locked(struct pv_engine *e, uint64_t rip);

/* port.c */
/* Of an in, out, ins or outs, from its bytes. */
struct port_access port_decode(const uint8_t *code, unsigned length);
/* At one: asks for permission, and exits for an out. */
void port_trap(struct pv_engine *e, const struct trap *trap);

/* hidden.c */
int hidden_calibrate(struct pv_engine *e);
/* What Unicorn knows of the exception that it reports, which counts as delivered from now on. */
void hidden_take_exception(struct pv_engine *e, uint32_t *error, bool *software);
/* CPL 0 with a null SS, as an interrupt leaves it, whatever it was. */
void hidden_enter_kernel(struct pv_engine *e);
bool hidden_is_64bit(struct pv_engine *e);
/* Behind an instruction that keeps interrupts out until the next one has executed: mov ss, pop ss, sti. */
bool hidden_in_shadow(struct pv_engine *e);

/* exception.c */
void on_interrupt(uc_engine *uc, uint32_t vector, void *data);
/* One that is no int n, at `rip`: what was counted from there on has been taken back. */
void exception_raise(struct pv_engine *e, unsigned vector, uint32_t error, uint64_t rip);
/* The same for an NMI, which is no exception. */
void exception_deliver_nmi(struct pv_engine *e, uint64_t rip);

/* nmi.c */
void nmi_inject(struct pv_engine *e);
/* Delivers a pending one at `rip` if nothing blocks it: true. */
bool nmi_deliver(struct pv_engine *e, uint64_t rip, bool in_block);
/* Does one, of the guest or the agent, wait for nothing but the next boundary? */
bool nmi_is_due(const struct pv_engine *e);
/* An iret was executed. */
void nmi_end(struct pv_engine *e);
void nmi_abandon(struct pv_engine *e);

/* agent.c; `cpu` is the agent's */
/* 0, or a negative errno and a sentence. */
int agent_create(struct pv_engine *e, char *why, uint64_t why_size);
void agent_destroy(struct pv_engine *e);
void agent_nmi_inject(struct pv_engine *e);
/* Runs the agent's handler in front of `rip` of the guest for as long as an NMI is pending, as boundary_attend(). */
bool agent_nmi_serve(struct pv_engine *e, uint64_t rip, bool in_block);
void agent_nmi_abandon(struct pv_engine *e);
/* PV_HC_AGENT_IRET. */
void agent_end(struct pv_engine *cpu);
/* PV_ENTER_AGENT: runs it until the host sends the vCPU elsewhere, or it fails. `rip` of the guest is in front. */
void agent_enter(struct pv_engine *e, uint64_t rip);
/* For an exit of the agent's, at its `rip`: the run page, with the guest's counts. */
void agent_publish(struct pv_engine *cpu, uint64_t rip);
/* The time since the last call was the guest's, in its kernel. */
void agent_settle_time(struct pv_engine *cpu);

/* vmexit.c */
bool on_invalid(uc_engine *uc, void *data);
int on_cpuid(uc_engine *uc, void *data);
void on_syscall(uc_engine *uc, void *data);
void on_sysenter(uc_engine *uc, void *data);
uint32_t on_in(uc_engine *uc, uint32_t port, int size, void *data);
void on_out(uc_engine *uc, uint32_t port, int size, uint32_t value, void *data);
void vmexit_ready(struct pv_engine *e);
/* The host's answer to an exit of the agent's, in front of `rip` of the guest: it was no resumption. */
void vmexit_sent_elsewhere(struct pv_engine *e, uint64_t rip, bool in_block);
/* True: the vCPU goes on where it was; false: it was sent elsewhere, or stopped. */
bool vmexit_kick(struct pv_engine *e, uint64_t rip, bool in_block);
bool vmexit_overflow(struct pv_engine *e, uint64_t rip, bool in_block);
bool vmexit_out(struct pv_engine *e, uint64_t rip, uint32_t port, uint32_t size, uint32_t value);
void vmexit_hlt(struct pv_engine *e);
/* Acts on an answer of the host's that could not be acted on when it came. */
void vmexit_late_entry(struct pv_engine *e, uint64_t rip, bool in_block);
void vmexit_shutdown(struct pv_engine *e, unsigned vector, uint32_t error, const char *why);
/* The engine itself failed; `why` may have printf arguments. */
void vmexit_fail(struct pv_engine *e, int error, const char *why, ...) __attribute__((format(printf, 3, 4)));

/* oracle.c */
void on_oracle(uc_engine *uc, uint64_t address, uint32_t size, void *data);
void oracle_settle(struct pv_engine *e, uint64_t rip, bool fault);
void oracle_retire(struct pv_engine *e);
void oracle_compare(struct pv_engine *e);

#endif
