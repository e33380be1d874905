/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/native/emit.h"

enum { CALLEE_SAVED = 1 << RBX | 1 << RBP | 0xf << R12 };

static void push(struct emitter *e, unsigned reg)
{
	if (reg >= 8)
		emit_byte(e, 0x41);
	emit_byte(e, 0x50 | (reg & 7));
}

static void pop(struct emitter *e, unsigned reg)
{
	if (reg >= 8)
		emit_byte(e, 0x41);
	emit_byte(e, 0x58 | (reg & 7));
}

/* 64 bits, either way: 8B loads, 89 stores. */
static void move(struct emitter *e, unsigned opcode, unsigned reg, size_t offset)
{
	emit_byte(e, 0x48 | (reg >= 8) << 2 | (e->state >= 8));
	emit_byte(e, opcode);
	memory_at(e, reg, e->state, offset);
}

/* 16 bytes of a vector: 10 loads, 11 stores. */
static void move_vector(struct emitter *e, unsigned opcode, unsigned reg, size_t offset)
{
	if (reg >= 8 || e->state >= 8)
		emit_byte(e, 0x40 | (reg >= 8) << 2 | (e->state >= 8));
	emit_byte(e, 0x0f);
	emit_byte(e, opcode);
	memory_at(e, reg, e->state, offset);
}

/* 8 bytes of an MMX register: 6F loads, 7F stores. */
static void move_mmx(struct emitter *e, unsigned opcode, unsigned reg)
{
	if (e->state >= 8)
		emit_byte(e, 0x41);
	emit_byte(e, 0x0f);
	emit_byte(e, opcode);
	memory_at(e, reg, e->state, offsetof(struct inside_state, x87) + reg * sizeof(struct inside_x87));
}

/* 32 bytes. */
static void move_wide(struct emitter *e, unsigned opcode, unsigned reg, size_t offset)
{
	emit_byte(e, 0xc4);
	emit_byte(e, (reg < 8) << 7 | 1 << 6 | (e->state < 8) << 5 | 1);
	emit_byte(e, 0xf << 3 | 1 << 2);
	emit_byte(e, opcode);
	memory_at(e, reg, e->state, offset);
}

/* 0F AE with this extension: fxsave 0, fxrstor 1, ldmxcsr 2, stmxcsr 3. */
static void control(struct emitter *e, unsigned extension, unsigned base, size_t offset)
{
	emit_byte(e, 0x40 | (extension < 2) << 3 | (base >= 8));
	emit_byte(e, 0x0f);
	emit_byte(e, 0xae);
	memory_at(e, extension, base, offset);
}

static uint8_t take_register(uint16_t *taken, const uint8_t *candidates)
{
	while (*taken >> *candidates & 1)
		candidates++;
	*taken |= (uint16_t)(1u << *candidates);
	return *candidates;
}

/* Registers that the instruction does not have, the arguments' own if may be. RAX is wanted for flags; as a base with no
 * displacement RBP and R13 cannot be. */
static void choose_registers(struct emitter *e)
{
	static const uint8_t states[] = { RDI, RSI, RDX, 1, 8, 9, 10, 11, RBX }, memories[] = { RSI, RDI, RDX, 1, RBX, 8, 9, 10, 11 },
			     passes[] = { RDX, RDI, RSI, 1, 8, 9, 10, 11, RBX }, sps[] = { 1, RBX, RBP, RDX, RSI, RDI, 8, 9, 10 };
	uint16_t guests = e->insn->gpr_read | e->insn->gpr_written, taken;

	taken = (uint16_t)((guests & ~(1u << RSP)) | 1u << RSP | 1u << RAX);
	e->sp = RSP;
	if (guests >> RSP & 1)
		e->sp = take_register(&taken, sps);
	e->used = (uint16_t)((guests & ~(1u << RSP)) | (guests >> RSP & 1u) << e->sp);
	e->state = take_register(&taken, states);
	e->memory = take_register(&taken, memories);
	e->pass = take_register(&taken, passes);
	e->saved = (uint16_t)((e->used | 1u << e->state | 1u << e->memory | 1u << e->pass) & CALLEE_SAVED);
}

static void save(struct emitter *e)
{
	bool elsewhere = e->state != RDI || e->memory != RSI || e->pass != RDX;

	for (unsigned reg = 0; reg < 16; reg++)
		if (e->saved >> reg & 1)
			push(e, reg);
	if (!elsewhere)
		return;
	push(e, RDX);
	push(e, RSI);
	push(e, RDI);
	pop(e, e->state);
	pop(e, e->memory);
	pop(e, e->pass);
}

static void leave(struct emitter *e, unsigned ret)
{
	for (unsigned reg = 16; reg-- > 0;)
		if (e->saved >> reg & 1)
			pop(e, reg);
	emit_byte(e, 0xb8);
	emit_dword(e, ret);
	emit_byte(e, 0xc3);
}

static bool has_flags(const struct x86_insn *insn)
{
	return insn->reads_flags || insn->writes_flags;
}

static unsigned host_register(const struct emitter *e, unsigned guest)
{
	return guest == RSP ? e->sp : guest;
}

/* With 0 or 1 in AL, adding 0x7f sets OF to it; sahf loads the others. */
static void load_flags(struct emitter *e)
{
	emit_byte(e, 0x66); /* mov flags(pass), %ax */
	emit_byte(e, 0x40 | (e->pass >= 8));
	emit_byte(e, 0x8b);
	memory_at(e, RAX, e->pass, offsetof(struct stub_pass, flags));
	emit_byte(e, 0x04); /* add $0x7f, %al */
	emit_byte(e, 0x7f);
	emit_byte(e, 0x9e); /* sahf */
}

static void load(struct emitter *e)
{
	const struct x86_insn *insn = e->insn;
	uint16_t gprs = insn->gpr_read | insn->gpr_written, vectors = insn->vector_read | insn->vector_written;

	if (stub_has_x87(insn))
		control(e, 1, e->pass, offsetof(struct stub_pass, fx));
	if (has_flags(insn))
		load_flags(e);
	for (unsigned reg = 0; reg < 16; reg++)
		if (gprs >> reg & 1)
			move(e, 0x8b, host_register(e, reg), offsetof(struct inside_state, gpr) + reg * sizeof(uint64_t));
	for (unsigned reg = 0; reg < 16; reg++)
		if (vectors >> reg & 1)
			(insn->unit == X86_VEX ? move_wide : move_vector)(e, 0x10, reg,
									  offsetof(struct inside_state, vector) + reg * 64ul);
	for (unsigned reg = 0; reg < 8; reg++)
		if ((insn->mmx_read | insn->mmx_written) >> reg & 1)
			move_mmx(e, 0x6f, reg);
	if (insn->mxcsr)
		control(e, 2, e->state, offsetof(struct inside_state, mxcsr));
}

static void store(struct emitter *e)
{
	const struct x86_insn *insn = e->insn;

	for (unsigned reg = 0; reg < 16; reg++)
		if (insn->gpr_written >> reg & 1)
			move(e, 0x89, host_register(e, reg), offsetof(struct inside_state, gpr) + reg * sizeof(uint64_t));
	for (unsigned reg = 0; reg < 16; reg++)
		if (insn->vector_written >> reg & 1)
			(insn->unit == X86_VEX ? move_wide : move_vector)(e, 0x11, reg,
									  offsetof(struct inside_state, vector) + reg * 64ul);
	for (unsigned reg = 0; reg < 8; reg++)
		if (insn->mmx_written >> reg & 1)
			move_mmx(e, 0x7f, reg);
	if (insn->writes_flags)
		store_flags(e);
	if (stub_has_x87(insn))
		control(e, 0, e->pass, offsetof(struct stub_pass, fx));
}

/* The host's own state of what the instruction had of the guest's. */
static void restore_host(struct emitter *e)
{
	if (e->insn->mxcsr) {
		control(e, 3, e->state, offsetof(struct inside_state, mxcsr));
		control(e, 2, e->pass, offsetof(struct stub_pass, host_mxcsr));
	}
	if (e->insn->unit == X86_VEX) { /* vzeroupper */
		emit_byte(e, 0xc5);
		emit_byte(e, 0xf8);
		emit_byte(e, 0x77);
	}
	if (stub_has_x87(e->insn)) { /* fninit */
		emit_byte(e, 0xdb);
		emit_byte(e, 0xe3);
	}
	if (e->insn->unit == X86_MMX && !stub_has_x87(e->insn)) { /* emms */
		emit_byte(e, 0x0f);
		emit_byte(e, 0x77);
	}
}

/* Is the register in ModRM.reg a general one, in an instruction that has vectors, too? */
static bool reg_is_general(const struct x86_insn *insn)
{
	if (insn->unit == X86_INTEGER)
		return true;
	return insn->map == 1 && (insn->opcode == 0x2c || insn->opcode == 0x2d || insn->opcode == 0x50 || insn->opcode == 0xc5 ||
				  insn->opcode == 0xd7);
}

static bool is_extension(const struct x86_insn *insn)
{
	/* ModRM.reg belongs to the opcode */
	if (insn->unit == X86_X87)
		return true;
	if (insn->map == 1 && insn->opcode >= 0x71 && insn->opcode <= 0x73)
		return true;
	return insn->map == 2 && insn->opcode == 0xf3 && insn->encoding != X86_LEGACY; /* blsr, blsmsk, blsi */
}

/* The instruction's own bytes, with the memory operand at `memory`, and what stands for RSP. */
static void instruction(struct emitter *e, const struct x86_insn *insn, const uint8_t *bytes)
{
	unsigned reg = (insn->modrm >> 3 & 7) | insn->r << 3, rm = (insn->modrm & 7) | insn->b << 3, vvvv = insn->vvvv;
	bool rsp = insn->gpr_read >> RSP & 1 || insn->gpr_written >> RSP & 1, x = insn->x && !insn->memory;
	unsigned modrm;

	if (rsp && !is_extension(insn) && reg_is_general(insn) && reg == RSP)
		reg = e->sp;
	if (rsp && !insn->memory && rm == RSP && (insn->unit == X86_INTEGER || !reg_is_general(insn)))
		rm = e->sp;
	if (rsp && insn->unit == X86_INTEGER && vvvv == RSP)
		vvvv = e->sp;
	if (insn->memory)
		rm = e->memory;
	modrm = (insn->memory ? 0 : 0xc0) | (reg & 7) << 3 | (rm & 7);
	if (insn->encoding == X86_LEGACY) {
		unsigned rex = insn->w << 3 | (reg >= 8) << 2 | x << 1 | (rm >= 8);

		if (insn->operand16)
			emit_byte(e, 0x66);
		if (insn->rep)
			emit_byte(e, insn->rep);
		if (rex || insn->rex)
			emit_byte(e, 0x40 | rex);
		if (insn->map >= 1)
			emit_byte(e, 0x0f);
		if (insn->map >= 2)
			emit_byte(e, insn->map == 2 ? 0x38 : 0x3a);
	} else {
		emit_byte(e, 0xc4);
		emit_byte(e, (reg < 8) << 7 | !x << 6 | (rm < 8) << 5 | insn->map);
		emit_byte(e, insn->w << 7 | (~vvvv & 0xf) << 3 | insn->vex_l << 2 | insn->pp);
	}
	emit_byte(e, insn->opcode);
	if (insn->has_modrm)
		emit_byte(e, modrm);
	for (unsigned i = 0; i < insn->immediate_bytes; i++)
		emit_byte(e, bytes[insn->immediate_at + i]);
}

static void add_needs(struct x86_insn *all, const struct x86_insn *insn)
{
	all->vector_read |= insn->vector_read;
	all->vector_written |= insn->vector_written;
	all->mxcsr |= insn->mxcsr;
}

stub_fn *stub_make(struct stub_arena *arena, const struct stub_source *sources, unsigned n)
{
	struct x86_insn all = *sources->insn;
	uint8_t *code = arena->code + arena->used;
	struct emitter e = { .at = code, .insn = &all };
	struct stub_place *place = &arena->place[arena->stubs];

	for (unsigned i = 1; i < n; i++)
		add_needs(&all, sources[i].insn);
	choose_registers(&e);
	save(&e);
	load(&e);
	for (unsigned i = 0; i < n; i++)
		instruction(&e, sources[i].insn, sources[i].bytes);
	store(&e);
	restore_host(&e);
	leave(&e, 0);
	*place = (struct stub_place){ (uintptr_t)code, (uintptr_t)e.at };
	restore_host(&e);
	leave(&e, 1);
	arena->used = (uint32_t)(e.at - arena->code + 15) & ~15u;
	__atomic_store_n(&arena->stubs, arena->stubs + 1, __ATOMIC_RELEASE); /* for a handler of signals */
	return (stub_fn *)(void *)code;
}
