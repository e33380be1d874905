/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stores that do not go Unicorn's slow way (fast_store.h): only with the one release whose insides those functions
 * know, only after they were seen to work, and only while nobody else wants to know of each store.
 */
#include "engine/unicorn/stores.h"

#include <link.h>
#include <string.h>
#include <sys/mman.h>

#include "engine/interposed/fast_store.h"
#include "engine/interposed/inside.h"
#include "engine/unicorn/registers.h"

/* Nobody may have loaded the library of fast_store.c. */
extern __typeof__(pv_store_fast) pv_store_fast __attribute__((weak));
extern __typeof__(pv_store_fast_now) pv_store_fast_now __attribute__((weak));
extern __typeof__(pv_store_is_known) pv_store_is_known __attribute__((weak));

enum { PAGE = 4096 };

/* Does this library look for that function by its name? A compiler may have bound it to the library's own. */
static bool looks_for(const struct dl_phdr_info *info, const char *name)
{
	const ElfW(Dyn) *dynamic = NULL;
	const ElfW(Sym) *symbols = NULL;
	const ElfW(Rela) *calls = NULL;
	const char *names = NULL;
	size_t bytes = 0;

	for (unsigned i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			dynamic = (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
		const void *at = (const void *)dynamic->d_un.d_ptr;

		if (dynamic->d_tag == DT_SYMTAB)
			symbols = at;
		else if (dynamic->d_tag == DT_STRTAB)
			names = at;
		else if (dynamic->d_tag == DT_JMPREL)
			calls = at;
		else if (dynamic->d_tag == DT_PLTRELSZ)
			bytes = dynamic->d_un.d_val;
	}
	for (size_t i = 0; symbols && names && calls && i < bytes / sizeof(*calls); i++)
		if (!strcmp(names + symbols[ELF64_R_SYM(calls[i].r_info)].st_name, name))
			return true;
	return false;
}

static int look_in_unicorn(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size;
	(void)data;
	return strstr(info->dlpi_name, "libunicorn.so.2") && looks_for(info, "tlb_set_dirty_x86_64");
}

/* Two pages of data: the first one's last line is code. */
struct sample {
	uint8_t *data;
	uint64_t code_lines[2];
};

static bool stored(const struct sample *sample, uint64_t mark)
{
	static const struct { uint16_t at, bytes; } all[] = {
		{ 0, 8 }, { 9, 4 }, { 15, 2 }, { 19, 1 }, { PAGE - CODE_LINE, 8 }, { PAGE, 8 }, { PAGE + 8, 8 },
	};
	uint8_t expected[2 * PAGE] = { 0 };

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		memcpy(expected + all[i].at, &mark, all[i].bytes);
	return !memcmp(sample->data, expected, sizeof(expected));
}

/* How many stores came to fast_store.c and stayed there, or -1: they did not do what they should. */
static int try_stores(const struct stores *stores, uc_engine *uc, uint64_t code, uint64_t data, struct sample *sample)
{
	const uint64_t mark = 0x7076706572667374, before = stores->fast.done;

	memset(sample->data, 0, 2 * PAGE);
	reg_set(uc, UC_X86_REG_RAX, mark);
	reg_set(uc, UC_X86_REG_RDI, data);
	if (uc_emu_start(uc, code, 0, 0, 0) || !stored(sample, mark))
		return -1;
	return (int)(stores->fast.done - before);
}

/* From the second time on: four of five to the page with code, and of the two to the other page the first. */
static bool works(struct stores *stores, uc_engine *uc, uint64_t page, struct sample *sample)
{
	static const uint8_t code[] = {
		0x48, 0x89, 0x07,                         /* movq %rax, (%rdi) */
		0x89, 0x47, 0x09,                         /* movl %eax, 9(%rdi) */
		0x66, 0x89, 0x47, 0x0f,                   /* movw %ax, 15(%rdi) */
		0x88, 0x47, 0x13,                         /* movb %al, 19(%rdi) */
		0x48, 0x89, 0x87, 0xc0, 0x0f, 0x00, 0x00, /* movq %rax, 0xfc0(%rdi) */
		0x48, 0x89, 0x87, 0x00, 0x10, 0x00, 0x00, /* movq %rax, 0x1000(%rdi) */
		0x48, 0x89, 0x87, 0x08, 0x10, 0x00, 0x00, /* movq %rax, 0x1008(%rdi) */
		0xf4,                                     /* hlt */
	};
	const uint64_t at = page + 0x600; /* others were executed in front */

	if (uc_mem_write(uc, at, code, sizeof(code)) || try_stores(stores, uc, at, page + PAGE, sample) != 0)
		return false;
	if (!stores->fast.env || !pv_store_is_known(((void **)(void *)uc)[INSIDE_CPU], stores->fast.env))
		return false;
	stores->fast.on = true;
	return try_stores(stores, uc, at, page + PAGE, sample) == 5 && try_stores(stores, uc, at, page + PAGE, sample) == 4;
}

void stores_calibrate(struct stores *stores, uc_engine *uc, uint64_t page, const struct stores_ram *ram)
{
	struct sample sample = { .code_lines = { 1ull << 63 } };

	if (!pv_store_fast || uc_version(NULL, NULL) != INSIDE_RELEASE || !dl_iterate_phdr(look_in_unicorn, NULL))
		return;
	sample.data = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sample.data == MAP_FAILED)
		return;
	if (!uc_mem_map_ptr(uc, page + PAGE, 2 * PAGE, UC_PROT_ALL, sample.data)) {
		stores->fast = (struct fast_stores){ .ram = sample.data, .size = 2 * PAGE, .code_lines = sample.code_lines };
		pv_store_fast(&stores->fast);
		stores->able = works(stores, uc, page, &sample);
		uc_mem_unmap(uc, page + PAGE, 2 * PAGE);
	}
	munmap(sample.data, 2 * PAGE);
	stores->fast = (struct fast_stores){
		.env = stores->fast.env,
		.ram = ram->ram,
		.size = ram->size,
		.code_lines = ram->code_lines,
	};
}

bool stores_share(struct stores *stores, const struct fast_stores *with)
{
	if (!stores->able)
		return false;
	stores->fast.stored = with->stored;
	stores->fast.stores = with->stores;
	stores->fast.owner = with->owner;
	return true;
}

void stores_choose(struct stores *stores, bool accesses_hooked)
{
	stores->fast.on = stores->able && !accesses_hooked;
}

void stores_look(const struct stores *stores, uc_engine *uc)
{
	if (stores->able)
		uc_ctl_flush_tlb(uc);
}

void stores_destroy(struct stores *stores)
{
	if (pv_store_fast && pv_store_fast_now() == &stores->fast)
		pv_store_fast(NULL);
}

bool stores_are_looked_at(const struct stores *stores)
{
	return stores->able && pv_store_fast_now() == &stores->fast;
}
