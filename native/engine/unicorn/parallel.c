/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * LOCK, made atomic without leaving the block.
 *
 * Unicorn has the code of QEMU in which a locked operation is one of the host's own, for guests
 * with several CPUs, but translates for one CPU, and no API asks it for the other. Whether it does
 * is a bit of the code generator's flags (CF_PARALLEL of tcg_ctx->tb_cflags), which are set with
 * each translation, and looked at for each LOCK and mfence in it. In between, what translates the
 * call of a hook is called, through a pointer: that leads to add_hook() here, which sets the bit.
 *
 * For an operand that is not aligned, or does not lie in RAM, that code asks QEMU to stop the other CPUs
 * (EXCP_ATOMIC). Unicorn knows nothing of that, and would execute the instruction again for ever. But it
 * asks of each exception, through another pointer, whether the emulation ends, and asks on_invalid()
 * then: stops() says that it does. The guest's locked operations are all trapped from then on (trap.c),
 * and without fast_store.c from when it may have pages that it may write and not execute. So are those that Unicorn does
 * otherwise than the processor (lockop_in_block()), and all as long as every access to memory has a
 * hook, which that code does not call.
 *
 * Its exchange is a load and a store even there: exchange.c takes its place.
 *
 * Where all this lies is known of one release. It is left alone unless everything in it is what it should
 * be, and a locked operation was then seen to do what it should.
 */
#include "engine/unicorn/parallel.h"

#include <malloc.h>
#include <stddef.h>

#include "engine/interposed/exchange.h"
#include "engine/interposed/inside.h"
#include "engine/unicorn/blocks.h"
#include "engine/unicorn/registers.h"
#include "engine/unicorn/stores.h"

enum {
	CF_PARALLEL = 1 << 19,
	CF_KNOWN = 0xff << 24, /* CF_CLUSTER_MASK: the only other ones of a block that is not translated alone */
	EXCEPTION_UD = 6,
	EXCEPTION_PF = 14,
	EXCEPTION_ATOMIC = 0x10005, /* EXCP_ATOMIC */
};

/* TCGContext, up to what is needed of it. */
struct generator {
	void *pools[5];
	int numbers[5];
	void *code, *jumps[3];
	uint32_t reserved_registers;
	uint32_t flags; /* tb_cflags */
};
_Static_assert(offsetof(struct generator, flags) == 100, "as in that release");

typedef void add_hook_fn(uc_engine *uc, void *hook, void **args, int n);
typedef bool stops_fn(uc_engine *uc, int exception);

/* struct uc_struct, up to what is needed of it. */
struct known_engine {
	void *unused[28];
	stops_fn *stops; /* stop_interrupt */
	void *map_io;    /* memory_map_io */
	void *unused2[20];
	add_hook_fn *add_hook; /* add_inline_hook */
	void *unused3[45];
	struct generator *generator; /* tcg_ctx */
};
_Static_assert(offsetof(struct known_engine, generator) == 96 * sizeof(void *), "as in that release");

/* Unicorn's own, which the pointers lead to before. Another build may not have the names. */
extern add_hook_fn uc_add_inline_hook_x86_64 __attribute__((weak));
extern void memory_map_io_x86_64(void) __attribute__((weak));
extern exchange_compare_fn helper_atomic_cmpxchgb_mmu_x86_64 __attribute__((weak));
extern exchange_compare_fn helper_atomic_cmpxchgw_le_mmu_x86_64 __attribute__((weak));
extern exchange_compare_fn helper_atomic_cmpxchgl_le_mmu_x86_64 __attribute__((weak));
extern exchange_compare64_fn helper_atomic_cmpxchgq_le_mmu_x86_64 __attribute__((weak));
/* Nobody may have loaded exchange.c's library. */
extern __typeof__(pv_exchange_by) pv_exchange_by __attribute__((weak));
extern __typeof__(pv_exchange_was_called) pv_exchange_was_called __attribute__((weak));

static struct known_engine *known_engine(uc_engine *uc)
{
	return (struct known_engine *)(void *)uc;
}

static void add_hook(uc_engine *uc, void *hook, void **args, int n)
{
	known_engine(uc)->generator->flags |= CF_PARALLEL;
	uc_add_inline_hook_x86_64(uc, hook, args, n);
}

/* The engine of this thread was told to stop for EXCEPTION_ATOMIC. */
static _Thread_local bool gave_up;

static bool stops(uc_engine *uc, int exception)
{
	(void)uc;
	gave_up = exception == EXCEPTION_ATOMIC;
	return gave_up || exception == EXCEPTION_UD;
}

/* Something has been translated, so all of the engine is there. */
static bool is_known(uc_engine *uc)
{
	struct known_engine *known = known_engine(uc);

	return uc_version(NULL, NULL) == INSIDE_RELEASE && uc_add_inline_hook_x86_64 && memory_map_io_x86_64 &&
	       malloc_usable_size(known) >= sizeof(*known) && known->add_hook == uc_add_inline_hook_x86_64 &&
	       known->map_io == (void *)memory_map_io_x86_64 && known->stops(uc, EXCEPTION_UD) &&
	       !known->stops(uc, EXCEPTION_PF) && !known->stops(uc, EXCEPTION_ATOMIC) &&
	       known->generator->reserved_registers && !(known->generator->flags & ~(uint32_t)CF_KNOWN);
}

static bool on_given_up(uc_engine *uc, void *data)
{
	uc_reg_read(uc, UC_X86_REG_RIP, data);
	return false;
}

/* Executes this code, with one operand. Where Unicorn gave up, or 0. It comes to an end, whatever happens. */
static uint64_t try_locked(uc_engine *uc, uint64_t code, uint64_t operand)
{
	enum { A_FEW = 8 };
	uint64_t given_up = 0;
	uc_hook block, invalid;

	reg_set(uc, UC_X86_REG_RDI, operand);
	if (uc_hook_add(uc, &block, UC_HOOK_BLOCK, (void *)on_block_empty, NULL, (uint64_t)1, (uint64_t)0))
		return 0;
	if (!uc_hook_add(uc, &invalid, UC_HOOK_INSN_INVALID, (void *)on_given_up, &given_up, (uint64_t)1, (uint64_t)0)) {
		uc_emu_start(uc, code, 0, 0, A_FEW);
		uc_hook_del(uc, invalid);
	}
	uc_hook_del(uc, block);
	return given_up;
}

/* One is added to the operand that is aligned; the other one is left alone. */
static bool works(uc_engine *uc, uint64_t page)
{
	/* nop; lock incq (%rdi); xchgq %rax, 8(%rdi); hlt */
	static const uint8_t code[] = { 0x90, 0xf0, 0x48, 0xff, 0x07, 0x48, 0x87, 0x47, 0x08, 0xf4 };
	enum { AFTER_NOP = 1, MARK = 0x7065 };
	const uint64_t at = page + 0x400, aligned = page + 0x800, misaligned = page + 0xc01; /* others were executed in front */
	uint64_t added = UINT32_MAX, left = UINT32_MAX, exchanged = 0;

	reg_set(uc, UC_X86_REG_RAX, MARK);
	if (uc_mem_write(uc, at, code, sizeof(code)) || uc_mem_write(uc, aligned, &added, sizeof(added)) ||
	    uc_mem_write(uc, misaligned, &left, sizeof(left)))
		return false;
	if (try_locked(uc, at, aligned) || try_locked(uc, at, misaligned) != at + AFTER_NOP)
		return false;
	return !uc_mem_read(uc, aligned, &added, sizeof(added)) && added == UINT32_MAX + 1ull &&
	       !uc_mem_read(uc, aligned + 8, &exchanged, sizeof(exchanged)) && exchanged == MARK &&
	       !uc_mem_read(uc, misaligned, &left, sizeof(left)) && left == UINT32_MAX;
}

static bool can_exchange(void)
{
	return pv_exchange_by && helper_atomic_cmpxchgb_mmu_x86_64 && helper_atomic_cmpxchgw_le_mmu_x86_64 &&
	       helper_atomic_cmpxchgl_le_mmu_x86_64 && helper_atomic_cmpxchgq_le_mmu_x86_64;
}

void parallel_calibrate(struct parallel *parallel, uc_engine *uc, uint64_t page)
{
	struct known_engine *known = known_engine(uc);
	stops_fn *own;

	if (!is_known(uc))
		return;
	own = known->stops;
	known->stops = stops;
	known->add_hook = add_hook;
	if (can_exchange())
		pv_exchange_by(&(struct exchange_means){
			.byte = helper_atomic_cmpxchgb_mmu_x86_64,
			.word = helper_atomic_cmpxchgw_le_mmu_x86_64,
			.dword = helper_atomic_cmpxchgl_le_mmu_x86_64,
			.qword = helper_atomic_cmpxchgq_le_mmu_x86_64,
		});
	parallel->able = works(uc, page);
	parallel->exchanges = can_exchange() && pv_exchange_was_called();
	known->add_hook = uc_add_inline_hook_x86_64;
	if (!parallel->able)
		known->stops = own;
}

void parallel_choose(struct parallel *parallel, uc_engine *uc, bool accesses_hooked)
{
	if (!parallel->able && !parallel->on)
		return;
	parallel->on = parallel->able && !accesses_hooked;
	known_engine(uc)->add_hook = parallel->on ? add_hook : uc_add_inline_hook_x86_64;
}

bool parallel_gave_up(struct parallel *parallel)
{
	bool ret = parallel->on && gave_up;

	if (ret)
		parallel->able = false;
	return ret;
}

/* What is written through a page that may not be executed, Unicorn by itself does not take for code that is executed
 * elsewhere. */
bool parallel_gives_up(struct parallel *parallel, uc_engine *uc, const struct stores *stores)
{
	if (!parallel->able || stores_are_looked_at(stores) || !may_be_no_execute(uc))
		return false;
	parallel->able = false;
	return true;
}
