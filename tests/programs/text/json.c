/* SPDX-License-Identifier: GPL-2.0-only */
/* JSON: a document is made, parsed into a tree, written again, and is the same; damaged ones are refused. */
#include "program.h"

enum { MOST = 3000, VALUES = 400 };

enum kind { NUMBER, STRING, LIST, OBJECT, WORD };

struct value {
	enum kind kind;
	const char *text; /* of numbers, words and strings, as it stands */
	unsigned length;
	struct value *first, *next, *name;
};

static char document[MOST], written[MOST];
static struct value pool[VALUES];
static unsigned used, out;
static const char *at, *end;

static void put(const char *text)
{
	while (*text && out < MOST)
		document[out++] = *text++;
}

static void make(struct random *random, unsigned depth)
{
	unsigned kind = random_below(random, depth ? 6 : 2), n = 1 + random_below(random, 4);
	char digits[12] = "";

	if (kind < 2 && depth) {
		put(kind ? "{" : "[");
		for (unsigned i = 0; i < n; i++) {
			put(i ? "," : "");
			if (kind) {
				digits[0] = (char)('a' + i);
				put("\"key ");
				put(digits);
				put("\":");
			}
			make(random, depth - 1);
		}
		put(kind ? "}" : "]");
	} else if (kind < 4) {
		put(&"-12.5e+07"[random_below(random, 3) * (kind & 1)]);
	} else if (kind == 4) {
		put("\"a \\\"quoted\\\" \\u00e9 word\"");
	} else {
		put(n & 1 ? "true" : "null");
	}
}

static struct value *new_value(enum kind kind)
{
	struct value *value = &pool[used < VALUES - 1 ? used++ : used];

	*value = (struct value){ .kind = kind, .text = at };
	return value;
}

static bool digits(void)
{
	const char *begin = at;

	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at > begin;
}

static bool parse_number(void)
{
	at += at < end && *at == '-';
	if (!digits())
		return false;
	if (at < end && *at == '.') {
		at++;
		if (!digits())
			return false;
	}
	if (at < end && (*at | 32) == 'e') {
		at++;
		at += at < end && (*at == '+' || *at == '-');
		return digits();
	}
	return true;
}

static bool parse_string(void)
{
	for (at++; at < end && *at != '"'; at++)
		if (*at == '\\' && ++at < end && *at == 'u')
			for (unsigned i = 0; i < 4; i++)
				if (++at >= end || !((*at >= '0' && *at <= '9') || ((*at | 32) >= 'a' && (*at | 32) <= 'f')))
					return false;
	return at++ < end;
}

static struct value *parse(void);

static struct value *parse_many(enum kind kind, char close)
{
	struct value *all = new_value(kind), **last = &all->first;

	for (at++; at < end && *at != close; at += at < end && *at == ',') {
		struct value *name = NULL;

		if (kind == OBJECT) {
			name = parse();
			if (!name || name->kind != STRING || at >= end || *at++ != ':')
				return NULL;
		}
		*last = parse();
		if (!*last || at >= end || (*at != ',' && *at != close))
			return NULL;
		(*last)->name = name;
		last = &(*last)->next;
	}
	return at++ < end ? all : NULL;
}

static struct value *parse(void)
{
	struct value *value;
	bool right;

	if (at >= end)
		return NULL;
	if (*at == '[')
		return parse_many(LIST, ']');
	if (*at == '{')
		return parse_many(OBJECT, '}');
	value = new_value(*at == '"' ? STRING : *at == '-' || (*at >= '0' && *at <= '9') ? NUMBER : WORD);
	if (value->kind == STRING)
		right = parse_string();
	else if (value->kind == NUMBER)
		right = parse_number();
	else {
		right = end - at >= 4 && (memcmp(at, "true", 4) == 0 || memcmp(at, "null", 4) == 0);
		at += 4;
	}
	value->length = (unsigned)(at - value->text);
	return right ? value : NULL;
}

static void write(const struct value *value)
{
	if (value->name) {
		memcpy(written + out, value->name->text, value->name->length);
		out += value->name->length;
		written[out++] = ':';
	}
	if (value->kind != LIST && value->kind != OBJECT) {
		memcpy(written + out, value->text, value->length);
		out += value->length;
		return;
	}
	written[out++] = value->kind == LIST ? '[' : '{';
	for (const struct value *each = value->first; each; each = each->next) {
		write(each);
		if (each->next)
			written[out++] = ',';
	}
	written[out++] = value->kind == LIST ? ']' : '}';
}

void program(void)
{
	struct random random = { 29 };
	unsigned length, refused = 0;
	struct value *root;

	put("[");
	for (unsigned i = 0; i < 14; i++) {
		make(&random, 3);
		put(i < 13 ? "," : "]");
	}
	length = out;
	at = document;
	end = document + length;
	root = parse();
	check(root && at == end, "it is valid");
	out = 0;
	if (root)
		write(root);
	check(out == length && memcmp(document, written, length) == 0, "written as it was");
	print_number(length);
	print_number(used);
	for (unsigned i = 0; i < 20; i++) {
		char *damaged = &document[random_below(&random, length)], was = *damaged;

		*damaged = (char)('!' + random_below(&random, 90));
		used = 0;
		at = document;
		refused += !parse() || at != end;
		*damaged = was;
	}
	print_number(refused);
	print_hex(digest(document, length));
}
