/* SPDX-License-Identifier: GPL-2.0-only */
/* A B-tree of order 8: inserts split full nodes on the way down; a search counts how many are less. */
#include "program.h"

enum { LEAST = 4, MOST = 2 * LEAST - 1, NODES = 300, KEYS = 700 };

struct node {
	uint32_t keys[MOST];
	struct node *children[MOST + 1];
	uint16_t n;
	bool leaf;
};

static struct node pool[NODES];
static unsigned used;

static struct node *new_node(bool leaf)
{
	struct node *node = &pool[used++];

	node->leaf = leaf;
	return node;
}

static void split(struct node *parent, unsigned i)
{
	struct node *left = parent->children[i], *right = new_node(left->leaf);

	right->n = LEAST - 1;
	memcpy(right->keys, left->keys + LEAST, (LEAST - 1) * sizeof(left->keys[0]));
	if (!left->leaf)
		memcpy(right->children, left->children + LEAST, LEAST * sizeof(left->children[0]));
	left->n = LEAST - 1;
	memmove(parent->keys + i + 1, parent->keys + i, (parent->n - i) * sizeof(parent->keys[0]));
	memmove(parent->children + i + 2, parent->children + i + 1, (parent->n - i) * sizeof(parent->children[0]));
	parent->keys[i] = left->keys[LEAST - 1];
	parent->children[i + 1] = right;
	parent->n++;
}

static unsigned place(const struct node *node, uint32_t key)
{
	unsigned low = 0, high = node->n;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (node->keys[middle] < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct node *insert(struct node *root, uint32_t key)
{
	struct node *node = root;

	if (root->n == MOST) {
		node = new_node(false);
		node->children[0] = root;
		split(node, 0);
		root = node;
	}
	while (!node->leaf) {
		unsigned i = place(node, key);

		if (node->children[i]->n == MOST) {
			split(node, i);
			i += node->keys[i] < key;
		}
		node = node->children[i];
	}
	for (unsigned i = place(node, key), j = node->n++;; j--) {
		if (j == i) {
			node->keys[i] = key;
			return root;
		}
		node->keys[j] = node->keys[j - 1];
	}
}

static bool find(const struct node *node, uint32_t key)
{
	for (;;) {
		unsigned i = place(node, key);

		if (i < node->n && node->keys[i] == key)
			return true;
		if (node->leaf)
			return false;
		node = node->children[i];
	}
}

static uint32_t walked[KEYS];
static unsigned walked_n, depth;

static void walk(const struct node *node, unsigned level)
{
	if (node->leaf) {
		check(depth == 0 || depth == level, "all leaves at one depth");
		depth = level;
	}
	for (unsigned i = 0; i <= node->n; i++) {
		if (!node->leaf)
			walk(node->children[i], level + 1);
		if (i < node->n)
			walked[walked_n++] = node->keys[i];
	}
}

void program(void)
{
	struct random random = { 11 }, again = random;
	struct node *root = new_node(true);
	unsigned found = 0;

	for (unsigned i = 0; i < KEYS; i++)
		root = insert(root, random_below(&random, 1 << 20));
	for (unsigned i = 0; i < KEYS; i++)
		check(find(root, random_below(&again, 1 << 20)), "what was put in");
	for (unsigned i = 0; i < 200; i++)
		found += find(root, random_below(&again, 1 << 20));
	walk(root, 1);
	check(walked_n == KEYS, "how many");
	for (unsigned i = 1; i < KEYS; i++)
		check(walked[i - 1] <= walked[i], "order");
	print_number(depth);
	print_number(used);
	print_number(found);
	print_hex(digest(walked, sizeof(walked)));
}
