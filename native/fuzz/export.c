/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An input as a program of the explorer's, where it can be said so: what comes in between
 * becomes an operation of its vCPU's, and the explorer looks for the schedule. Guest memory that changes, or
 * fails, and arguments that are refused are not in its language.
 */
#include <stdio.h>
#include <string.h>

#include "explore/play/explore.h"
#include "fuzz/record.h"

enum { LINE = 2048 };

struct program {
	char line[FUZZ_VCPUS + 1][LINE]; /* the vCPUs', and the timer's */
	uint32_t vcpus;
	const char *why;
};

static void add(struct program *program, uint32_t fiber, const char *text)
{
	char *line = program->line[fiber];
	size_t length = strlen(line);

	snprintf(line + length, LINE - length, "%s%s", length ? "; " : "", text);
}

static void export_open(struct program *program, uint32_t vcpu, const struct fuzz_record *record)
{
	uint64_t period = code_period(record->e);
	char text[64];

	if (!code_plain_attr(record->b) || record->d || record->f || period >= EXPLORE_OF_CLOCK - 1) {
		program->why = "it opens an event of which the explorer knows nothing";
		return;
	}
	if (period)
		snprintf(text, sizeof(text), "open %llu period %llu", (unsigned long long)code_id(record->a),
			 (unsigned long long)period);
	else
		snprintf(text, sizeof(text), "open %llu", (unsigned long long)code_id(record->a));
	add(program, vcpu, text);
}

static void export_run(struct program *program, uint32_t vcpu, const struct fuzz_record *record)
{
	uint64_t n = record_value(record);
	char text[32];

	snprintf(text, sizeof(text), "run %llu", (unsigned long long)(n < EXPLORE_OF_CLOCK ? n : EXPLORE_OF_CLOCK - 1));
	add(program, vcpu, text);
}

static void export_timer(struct program *program, const struct fuzz_record *record)
{
	char text[32];

	for (uint32_t i = 0; i < program->vcpus; i++)
		if (record->a >> i & 1) {
			snprintf(text, sizeof(text), "tick %u", i);
			add(program, program->vcpus, text);
		}
	add(program, program->vcpus, "clock");
}

static void export_numbered(struct program *program, uint32_t vcpu, const char *name, uint64_t number, uint64_t most)
{
	char text[32];

	if (number >= most) {
		program->why = "it has an argument that is none of the explorer's";
		return;
	}
	snprintf(text, sizeof(text), "%s %llu", name, (unsigned long long)number);
	add(program, vcpu, text);
}

static void export_record(struct program *program, const struct fuzz_record *record)
{
	static const char *const names[FUZZ_OPS] = {
		[FUZZ_CLOSE] = "close", [FUZZ_ENABLE] = "enable", [FUZZ_DISABLE] = "disable", [FUZZ_READ] = "read",
	};
	enum fuzz_op op = record_op(record);
	uint32_t vcpu = record->vcpu % program->vcpus;

	if (op == FUZZ_OPEN && code_id(record->a) < EXPLORE_IDS)
		export_open(program, vcpu, record);
	else if (names[op])
		export_numbered(program, vcpu, names[op], code_id(record->a), EXPLORE_IDS);
	else if (op == FUZZ_KICK)
		export_numbered(program, vcpu, "kick", record->a < 0xf0 ? record->a % program->vcpus : FUZZ_VCPUS,
				program->vcpus);
	else if (op == FUZZ_RUN && record->a == 0)
		export_run(program, vcpu, record);
	else if (op == FUZZ_TAKE)
		add(program, 0, "handle");
	else if (op == FUZZ_HLT)
		add(program, vcpu, "halt");
	else if (op == FUZZ_TIMER)
		export_timer(program, record);
	else if (op != FUZZ_AT)
		program->why = record_name(record);
}

static void print(const struct program *program, const struct pv_vm_config *config)
{
	printf("design %s\nnmi %s\nsync %s\nmax-events %u\ncounters %u\nhash-buckets %u\n", config->design, config->nmi,
	       config->sync, config->max_events, config->counters, config->hash_buckets);
	printf("trylock-permille %u\nwrite-permille %u\nmax-sample-rate %u\n", config->fault_permille[0],
	       config->fault_permille[1], config->max_sample_rate);
	for (uint32_t i = 0; i < program->vcpus; i++)
		printf("vcpu %u: %s\n", i, program->line[i]);
	if (program->line[program->vcpus][0])
		printf("timer: %s\n", program->line[program->vcpus]);
}

bool fuzz_export(const uint8_t *data, size_t size, const char **why)
{
	struct program program = { .why = NULL };
	struct pv_vm_config config;
	struct fuzz_input input;

	*why = "it is too short to be an input";
	if (!record_parse(data, size, &input))
		return false;
	header_config(&input.header, &config);
	program.vcpus = config.vcpus;
	if (input.header.features % (FUZZ_THROTTLED * 2) & ~FUZZ_THROTTLED)
		program.why = "its machine has what the explorer's has not";
	for (uint32_t i = 0; i < input.records && !program.why; i++)
		export_record(&program, &input.record[i]);
	*why = program.why;
	if (!program.why)
		print(&program, &config);
	return !program.why;
}
