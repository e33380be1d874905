/* SPDX-License-Identifier: GPL-2.0-only */
/* A compiler at run time: expressions become machine code, which is run, written over, patched, and run again. */
#include "program.h"

enum { CODE = 4096, NODES = 64, EXPRESSIONS = 7 };

static uint8_t code[CODE] __attribute__((aligned(4096)));
static unsigned at;

struct node {
	char op; /* + - * & ^ ? or x y, or # */
	int32_t value;
	struct node *left, *right;
};

static struct node pool[NODES];
static unsigned used;

static struct node *make(struct random *random, unsigned depth)
{
	struct node *node = &pool[used++];

	*node = (struct node){ .op = "xy#"[random_below(random, 3)], .value = (int32_t)random_next(random) };
	if (depth && used + 2 * depth < NODES) {
		node->op = "+-*&^?"[random_below(random, 6)];
		node->left = make(random, depth - 1);
		node->right = make(random, depth - 1);
	}
	return node;
}

static int64_t evaluate(const struct node *node, int64_t x, int64_t y)
{
	uint64_t a, b;

	if (!node->left)
		return node->op == 'x' ? x : node->op == 'y' ? y : node->value;
	a = (uint64_t)evaluate(node->left, x, y);
	b = (uint64_t)evaluate(node->right, x, y);
	switch (node->op) {
	case '+':
		return (int64_t)(a + b);
	case '-':
		return (int64_t)(a - b);
	case '*':
		return (int64_t)(a * b);
	case '&':
		return (int64_t)(a & b);
	case '^':
		return (int64_t)(a ^ b);
	default:
		return (int64_t)((int64_t)a < (int64_t)b ? b : a);
	}
}

static void bytes(uint64_t value, unsigned n)
{
	for (; n; n--, value >>= 8)
		code[at++] = (uint8_t)value;
}

/* The value into RAX; RDI and RSI are x and y, as the ABI has them. */
static void compile(const struct node *node)
{
	unsigned jump;

	if (!node->left) {
		if (node->op == '#') {
			bytes(0xc0c748, 3); /* mov $value, %rax */
			bytes((uint32_t)node->value, 4);
		} else {
			bytes(node->op == 'x' ? 0xf88948 : 0xf08948, 3); /* mov %rdi or %rsi, %rax */
		}
		return;
	}
	compile(node->left);
	bytes(0x50, 1); /* push %rax */
	compile(node->right);
	bytes(0xc18948, 3); /* mov %rax, %rcx */
	bytes(0x58, 1);     /* pop %rax */
	switch (node->op) {
	case '+':
		bytes(0xc80148, 3);
		break;
	case '-':
		bytes(0xc82948, 3);
		break;
	case '*':
		bytes(0xc1af0f48, 4);
		break;
	case '&':
		bytes(0xc82148, 3);
		break;
	case '^':
		bytes(0xc83148, 3);
		break;
	default:
		bytes(0xc83948, 3); /* cmp %rcx, %rax; jge; mov %rcx, %rax */
		bytes(0x7d, 1);
		jump = at++;
		bytes(0xc88948, 3);
		code[jump] = (uint8_t)(at - jump - 1);
	}
}

typedef int64_t (*function)(int64_t x, int64_t y);

/* for (sum = 0; n; n--) sum += f(n, sum), with a call of what is compiled behind it; the constant is patched under way. */
static int64_t loop(const struct node *node, unsigned rounds)
{
	unsigned call;
	function f;

	at = 0;
	bytes(0x53, 1);	      /* push %rbx */
	bytes(0xc03148, 3);   /* xor %rax, %rax */
	bytes(0xc0c74890, 4); /* nop; mov $0, %rax */
	bytes(0, 4);
	bytes(0xfb8948, 3); /* mov %rdi, %rbx */
	bytes(0xdf8948, 3); /* 1: mov %rbx, %rdi */
	bytes(0xc68948, 3); /* mov %rax, %rsi */
	bytes(0xe8, 1);	    /* call */
	call = at;
	bytes(0, 4);
	bytes(0xcbff48, 3); /* dec %rbx */
	bytes(0x75, 1);	    /* jnz 1b */
	bytes((uint8_t)(call - 7 - at - 1), 1);
	bytes(0xc35b, 2); /* pop %rbx; ret */
	code[call] = (uint8_t)(at - call - 4);
	compile(node);
	bytes(0xc3, 1);
	f = (function)(uintptr_t)code;
	return f(rounds, 0);
}

void program(void)
{
	struct random random = { 101 };
	uint64_t sum = 0;

	for (unsigned i = 0; i < EXPRESSIONS; i++) {
		unsigned begin = at = i * 31 % 2000;
		struct node *node;
		int64_t x = (int64_t)random_next(&random), y = (int64_t)random_next(&random), value, expected = 0;

		used = 0;
		node = make(&random, 4);
		compile(node);
		bytes(0xc3, 1);
		__builtin___clear_cache((char *)code, (char *)code + CODE);
		for (unsigned again = 0; again < 3; again++, x += 12345, y ^= x) {
			value = ((function)(uintptr_t)(code + begin))(x, y);
			check(value == evaluate(node, x, y), "an expression");
			sum = sum * 31 + (uint64_t)value;
		}
		value = loop(node, 20);
		for (int64_t n = 20; n; n--)
			expected = evaluate(node, n, expected);
		check(value == expected, "a loop");
		sum = sum * 31 + (uint64_t)value;
	}
	/* One constant of an instruction in use is changed between two calls, again and again. */
	at = 0;
	bytes(0xb8, 1);
	bytes(0, 4);
	bytes(0xc3, 1);
	for (uint32_t i = 0; i < 50; i++) {
		memcpy(code + 1, &i, 4);
		sum += (uint64_t)((function)(uintptr_t)code)(0, 0);
	}
	print_hex(sum);
}
