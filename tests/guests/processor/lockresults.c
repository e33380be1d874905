/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What each LOCK form leaves in registers, flags and memory, from random ones: a line each, with a hash of it all. The
 * lines are the same however LOCK is executed.
 */
#include "guest.h"

enum {
	TRIALS = 24,
	AREA = 512,
	FLAGS = 0x8d5, /* OF SF ZF AF PF CF */
	CF = 1, AF = 0x10, ZF = 0x40,
	REX = 0x40, REX_W = 8, REX_R = 4,
	NO_REGISTER = 0xff, HIGH_BYTE = 4,
};

struct state {
	uint64_t rax, rcx, rdx, rbx, r8, r9, flags;
};

/* An opcode, and what about it matters here. `digit`: ModRM's reg field where that is no register, or NO_REGISTER. */
struct form {
	const char *name;
	uint8_t opcode, digit, immediate; /* bytes */
	bool two_byte, from_word; /* no byte form */
	bool bit;                 /* a bit's offset is the source */
	uint16_t undefined;       /* flags */
	bool unlocked;
};

#define ALU(name, n, undefined)                                                         \
	{ name, 8 * n, NO_REGISTER, 0, false, false, false, undefined, false },         \
	{ name " imm8", 0x80, n, 1, false, false, false, undefined, false }

static const struct form forms[] = {
	ALU("add", 0, 0), ALU("or", 1, AF), ALU("adc", 2, 0), ALU("sbb", 3, 0), ALU("and", 4, AF), ALU("sub", 5, 0),
	ALU("xor", 6, AF),
	{ "inc", 0xfe, 0, 0, false, false, false, 0, false },
	{ "dec", 0xfe, 1, 0, false, false, false, 0, false },
	{ "not", 0xf6, 2, 0, false, false, false, 0, false },
	{ "neg", 0xf6, 3, 0, false, false, false, 0, false },
	{ "bts", 0xab, NO_REGISTER, 0, true, true, true, FLAGS & ~(CF | ZF), false },
	{ "btr", 0xb3, NO_REGISTER, 0, true, true, true, FLAGS & ~(CF | ZF), false },
	{ "btc", 0xbb, NO_REGISTER, 0, true, true, true, FLAGS & ~(CF | ZF), false },
	{ "bts imm8", 0xba, 5, 1, true, true, false, FLAGS & ~(CF | ZF), false },
	{ "btr imm8", 0xba, 6, 1, true, true, false, FLAGS & ~(CF | ZF), false },
	{ "btc imm8", 0xba, 7, 1, true, true, false, FLAGS & ~(CF | ZF), false },
	{ "xadd", 0xc0, NO_REGISTER, 0, true, false, false, 0, false },
	{ "cmpxchg", 0xb0, NO_REGISTER, 0, true, false, false, 0, false },
	{ "xchg", 0x86, NO_REGISTER, 0, false, false, false, 0, true },
};

static const uint8_t registers[] = { 0, 1, 2, 3, 8, 9, HIGH_BYTE }; /* the last of bytes alone */

static uint8_t code[PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));
static uint8_t area[AREA] __attribute__((aligned(64)));
static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x2545f4914f6cdd1d;
}

static void hash(uint64_t *sum, const void *bytes, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		*sum = (*sum ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3;
}

/* With the operand in the middle of the area. */
static void execute(struct state *state)
{
	register struct state *s __asm__("r15") = state;
	register void *at __asm__("r14") = code;

	__asm__ volatile("mov (%0), %%rax\n\t"
			 "mov 8(%0), %%rcx\n\t"
			 "mov 16(%0), %%rdx\n\t"
			 "mov 24(%0), %%rbx\n\t"
			 "mov 32(%0), %%r8\n\t"
			 "mov 40(%0), %%r9\n\t"
			 "pushq 48(%0)\n\t"
			 "popfq\n\t"
			 "call *%1\n\t"
			 "pushfq\n\t"
			 "popq 48(%0)\n\t"
			 "mov %%rax, (%0)\n\t"
			 "mov %%rcx, 8(%0)\n\t"
			 "mov %%rdx, 16(%0)\n\t"
			 "mov %%rbx, 24(%0)\n\t"
			 "mov %%r8, 32(%0)\n\t"
			 "mov %%r9, 40(%0)"
			 : : "r"(s), "r"(at), "D"(area + AREA / 2), "S"(1ull)
			 : "rax", "rcx", "rdx", "rbx", "r8", "r9", "memory", "cc");
}

/* The instruction, behind one that leaves other flags pending or not, in one of four ways to address the operand. */
static void assemble(const struct form *form, unsigned width, unsigned reg, unsigned way)
{
	static const uint8_t compare[] = { 0x4d, 0x39, 0xc8 }; /* cmp %r9, %r8 */
	static const uint8_t modrm[4][3] = { { 0x07 }, { 0x47, 0x08 }, { 0x44, 0xf7, 0x10 }, { 0x07 } };
	static const uint8_t modrm_bytes[4] = { 1, 2, 3, 1 };
	bool plain = form->digit == NO_REGISTER;
	uint8_t rex = (uint8_t)((width == 8 ? REX_W : 0) | (plain && reg >= 8 ? REX_R : 0)), *to = code;

	if (way & 1) {
		memcpy(to, compare, sizeof(compare));
		to += sizeof(compare);
	}
	if (!form->unlocked)
		*to++ = 0xf0;
	if (way == 3)
		*to++ = 0x67;
	if (width == 2)
		*to++ = 0x66;
	if (rex)
		*to++ = REX | rex;
	if (form->two_byte)
		*to++ = 0x0f;
	*to++ = (uint8_t)(form->opcode | (form->from_word ? 0 : (form->opcode == 0x80 ? 3 : 1) * (width > 1)));
	memcpy(to, modrm[way], modrm_bytes[way]);
	*to |= (uint8_t)((plain ? reg & 7 : form->digit) << 3);
	to += modrm_bytes[way];
	for (unsigned i = 0; i < form->immediate; i++)
		*to++ = (uint8_t)random_next();
	*to++ = 0xc3;
}

static void prepare_state(struct state *state, const struct form *form, unsigned trial)
{
	for (unsigned i = 0; i < AREA; i += sizeof(uint64_t)) {
		uint64_t word = random_next();

		memcpy(area + i, &word, sizeof(word));
	}
	*state = (struct state){ .rax = random_next(), .rcx = random_next(), .rdx = random_next(), .rbx = random_next(),
				 .r8 = random_next(), .r9 = random_next(), .flags = (random_next() & FLAGS) | 2 };
	if (form->bit) { /* within the area */
		uint64_t *all[] = { &state->rax, &state->rcx, &state->rdx, &state->rbx, &state->r8, &state->r9 };

		for (unsigned i = 0; i < ARRAY_SIZE(all); i++)
			*all[i] = random_next() % 1600 - 800;
	} else if (trial % 2) { /* a comparison that holds */
		memcpy(&state->rax, area + AREA / 2 + (trial % 4 == 1 ? 0 : 8), sizeof(state->rax));
	}
}

static void run_form(const struct form *form, unsigned width, unsigned reg, unsigned way)
{
	uint64_t sum = 0xcbf29ce484222325;

	assemble(form, width, reg, way);
	for (unsigned trial = 0; trial < TRIALS; trial++) {
		struct state state;

		prepare_state(&state, form, trial);
		execute(&state);
		state.flags &= FLAGS & ~form->undefined;
		hash(&sum, &state, sizeof(state));
		hash(&sum, area, sizeof(area));
	}
	console_printf("%s of %u bits, register %u, way %u: 0x%lx\n", form->name, width * 8, reg, way, sum);
}

int guest_main(void)
{
	unsigned way = 0;

	for (const struct form *form = forms; form < forms + ARRAY_SIZE(forms); form++)
		for (unsigned width = form->from_word ? 2 : 1; width <= 8; width *= 2)
			for (unsigned i = 0; i < ARRAY_SIZE(registers); i++) {
				if (registers[i] == HIGH_BYTE && width > 1)
					continue;
				for (unsigned n = form->digit == NO_REGISTER ? 1 : 4; n && (i == 0 || n == 1); n--)
					run_form(form, width, registers[i], way++ % 4);
			}
	return 0;
}
