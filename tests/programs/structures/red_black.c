/* SPDX-License-Identifier: GPL-2.0-only */
/* A left-leaning red-black tree: numbers come and go, and its rules hold. */
#include "program.h"

enum { NODES = 300 };

struct node {
	struct node *child[2];
	uint32_t key, count;
	bool red;
};

static struct node pool[NODES];
static unsigned used;

static bool is_red(const struct node *node)
{
	return node && node->red;
}

static struct node *rotate(struct node *node, int side)
{
	struct node *up = node->child[!side];

	node->child[!side] = up->child[side];
	up->child[side] = node;
	up->red = node->red;
	node->red = true;
	return up;
}

static void flip(struct node *node)
{
	node->red = !node->red;
	node->child[0]->red = !node->child[0]->red;
	node->child[1]->red = !node->child[1]->red;
}

static struct node *mend(struct node *node)
{
	if (is_red(node->child[1]) && !is_red(node->child[0]))
		node = rotate(node, 0);
	if (is_red(node->child[0]) && is_red(node->child[0]->child[0]))
		node = rotate(node, 1);
	if (is_red(node->child[0]) && is_red(node->child[1]))
		flip(node);
	return node;
}

static struct node *insert(struct node *node, uint32_t key)
{
	if (!node) {
		pool[used] = (struct node){ .key = key, .count = 1, .red = true };
		return &pool[used++];
	}
	if (key == node->key)
		node->count++;
	else
		node->child[key > node->key] = insert(node->child[key > node->key], key);
	return mend(node);
}

static struct node *lend_left(struct node *node)
{
	flip(node);
	if (is_red(node->child[1]->child[0])) {
		node->child[1] = rotate(node->child[1], 1);
		node = rotate(node, 0);
		flip(node);
	}
	return node;
}

static struct node *remove_least(struct node *node, struct node **least)
{
	if (!node->child[0]) {
		*least = node;
		return NULL;
	}
	if (!is_red(node->child[0]) && !is_red(node->child[0]->child[0]))
		node = lend_left(node);
	node->child[0] = remove_least(node->child[0], least);
	return mend(node);
}

/* Blacks on every way down; 0 if they differ, or red is below red. */
static unsigned height(const struct node *node, unsigned *nodes, uint64_t *sum)
{
	unsigned left, right;

	if (!node)
		return 1;
	left = height(node->child[0], nodes, sum);
	++*nodes;
	*sum = *sum * 31 + node->key * node->count;
	right = height(node->child[1], nodes, sum);
	if (left != right || (node->red && is_red(node->child[0])) || is_red(node->child[1]))
		return 0;
	return left ? left + !node->red : 0;
}

void program(void)
{
	struct random random = { 9 };
	struct node *root = NULL, *least;
	unsigned nodes = 0;
	uint64_t sum = 0;

	for (unsigned i = 0; i < NODES; i++) {
		root = insert(root, random_below(&random, 2000));
		root->red = false;
	}
	for (unsigned i = 0, last = 0; i < NODES / 3; i++) {
		root = remove_least(root, &least);
		root->red = false;
		check(i == 0 || least->key > last, "the least");
		last = least->key;
	}
	check(height(root, &nodes, &sum) > 0, "red and black");
	check(nodes == used - NODES / 3, "how many");
	print_number(nodes);
	print_hex(sum);
}
