/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random arguments from all vCPUs. Every result must be one that the interface knows,
 * and the host must write nowhere but into the first 12 bytes of an open event.
 * Options: count (per vCPU), seed.
 */
#include "guest.h"

enum {
	ARENA_WORDS = 512, /* per vCPU: where its events, and misplaced ones, may lie */
	ALIAS_WORDS = 4,   /* of them: parameter block and event in one */
	SMALL_IDS = 200,
};

/* What one vCPU gives to the host. `arena` holds the pattern but for words of opened events. */
struct attacker {
	uint64_t random;
	struct kvm_pv_perf_attr attr;
	struct kvm_pv_perf_event_param param;
	uint64_t guard[8];
	uint64_t opened, refused, strange; /* results */
	int64_t strange_result;
	uint64_t damaged; /* parameter blocks that the host changed */
	bool may_change[ARENA_WORDS];
	uint64_t arena[ARENA_WORDS] __attribute__((aligned(4096)));
	uint64_t behind[8];
};

static struct attacker attackers[GUEST_MAX_VCPUS];
static uint64_t count;

static const int32_t odd_ids[] = { 0, -1, -0x7fffffff - 1, 0x7fffffff };

static uint64_t next(struct attacker *a)
{
	a->random ^= a->random << 13;
	a->random ^= a->random >> 7;
	a->random ^= a->random << 17;
	return a->random * 0x2545f4914f6cdd1d;
}

static uint64_t below(struct attacker *a, uint64_t n)
{
	return (next(a) >> 11) % n;
}

static uint64_t pattern(const uint64_t *word)
{
	return (uint64_t)word * 0x9e3779b97f4a7c15 ^ 0xfeedfacecafebeef;
}

/* An address that is wrong in one of many ways. */
static gpa_t bad_address(struct attacker *a)
{
	uint64_t ram = boot_info()->ram_size;

	switch (below(a, 8)) {
	case 0: return ram;
	case 1: return ram - 8;
	case 2: return ram - 1;
	case 3: return ~0ull;
	case 4: return ~0ull - 15;
	case 5: return ~0ull << (32 + below(a, 31));
	case 6: return ram + below(a, 1ull << 40);
	default: return next(a) | 1ull << 63;
	}
}

/* An address inside of this vCPU's arena: aligned, half aligned, or not at all. */
static gpa_t arena_address(struct attacker *a)
{
	gpa_t gpa = (gpa_t)&a->arena[ALIAS_WORDS + below(a, ARENA_WORDS - ALIAS_WORDS - 2)];

	switch (below(a, 8)) {
	case 0: return gpa + 4;
	case 1: return gpa + 1 + below(a, 7);
	default: return gpa;
	}
}

static int32_t any_id(struct attacker *a)
{
	return below(a, 10) ? (int32_t)below(a, SMALL_IDS) : odd_ids[below(a, ARRAY_SIZE(odd_ids))];
}

static void make_attr(struct attacker *a)
{
	uint64_t *words = (uint64_t *)&a->attr;

	a->attr = (struct kvm_pv_perf_attr){
		.type = (uint32_t)below(a, 2), .config = below(a, 2), .flags = next(a) & 0x31,
	};
	while (!below(a, 3)) {
		uint64_t garbage = below(a, 2) ? next(a) : 1ull << below(a, 64);

		words[below(a, sizeof(a->attr) / 8)] ^= garbage;
	}
}

static void make_param(struct attacker *a)
{
	a->param = (struct kvm_pv_perf_event_param){
		.attr_addr = below(a, 8) ? (gpa_t)&a->attr : bad_address(a),
		.guest_event_addr = below(a, 4) ? arena_address(a) : bad_address(a),
		.id = any_id(a),
		.pad = (uint32_t)next(a),
	};
	if (!below(a, 16))
		a->param.attr_addr = (gpa_t)&a->param; /* one block for both */
}

/* The words of an event that was opened may change from now on. */
static void note_event(struct attacker *a, gpa_t gpa)
{
	uint64_t word = (gpa - (gpa_t)a->arena) / 8;

	if (word + 1 < ARENA_WORDS)
		a->may_change[word] = a->may_change[word + 1] = true;
}

/*
 * The first words of the arena as parameter block, and the event lies right in it. It
 * is used and closed at once: else its count could get into the id of the next one.
 */
static int64_t open_aliased(struct attacker *a)
{
	struct kvm_pv_perf_event_param *param = (struct kvm_pv_perf_event_param *)a->arena;
	int64_t ret;

	*param = a->param;
	param->attr_addr = (gpa_t)&a->attr;
	param->guest_event_addr = (gpa_t)a->arena + 8 * below(a, 3);
	ret = perf_open((gpa_t)param);
	if (ret == 0) {
		perf_op(KVM_PV_PERF_OP_ENABLE, a->param.id);
		perf_op(KVM_PV_PERF_OP_READ, a->param.id);
		perf_op(KVM_PV_PERF_OP_DISABLE, a->param.id);
		perf_op(KVM_PV_PERF_OP_CLOSE, a->param.id);
	}
	return ret;
}

static int64_t attack_open(struct attacker *a)
{
	struct kvm_pv_perf_event_param before;
	struct kvm_pv_perf_attr attr;
	int64_t ret;

	make_attr(a);
	make_param(a);
	before = a->param;
	attr = a->attr;
	if (!below(a, 8))
		return perf_open(bad_address(a));
	if (!below(a, 8))
		return open_aliased(a);
	/* The event may run, and be written to, before this vCPU hears of it. */
	note_event(a, a->param.guest_event_addr);
	ret = perf_open((gpa_t)&a->param);
	a->damaged += memcmp(&before, &a->param, sizeof(before)) != 0 || memcmp(&attr, &a->attr, sizeof(attr)) != 0;
	return ret;
}

static int64_t attack_other(struct attacker *a)
{
	static const uint64_t id_ops[] = {
		KVM_PV_PERF_OP_CLOSE, KVM_PV_PERF_OP_ENABLE, KVM_PV_PERF_OP_DISABLE, KVM_PV_PERF_OP_READ,
	};

	switch (below(a, 16)) {
	case 0: return hypercall(KVM_PERF_OP, next(a), next(a), next(a));
	case 1: return hypercall(KVM_PERF_OP, below(a, 8), next(a), next(a));
	case 2: return hypercall(next(a), next(a), next(a), next(a));
	case 3: return hypercall(KVM_HC_KICK_CPU, next(a), next(a), next(a));
	case 4: return perf_op(id_ops[below(a, ARRAY_SIZE(id_ops))], (int32_t)next(a));
	default: return perf_op(id_ops[below(a, ARRAY_SIZE(id_ops))], any_id(a));
	}
}

static void judge(struct attacker *a, int64_t result)
{
	switch (result) {
	case 0:
		a->opened++;
		return;
	case -PV_EINVAL: case -PV_EFAULT: case -PV_EEXIST: case -PV_ENOENT:
	case -PV_ENOSPC: case -PV_EOPNOTSUPP: case -KVM_ENOSYS:
		a->refused++;
		return;
	default:
		a->strange++;
		a->strange_result = result;
	}
}

static void attack(void *arg)
{
	struct attacker *a = &attackers[cpu_index()];

	(void)arg;
	for (uint64_t i = 0; i < count; i++)
		judge(a, below(a, 3) ? attack_other(a) : attack_open(a));
}

static void prepare(struct attacker *a, uint64_t seed)
{
	a->random = seed * 0x9e3779b97f4a7c15 | 1;
	for (unsigned i = 0; i < ARENA_WORDS; i++)
		a->arena[i] = pattern(&a->arena[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(a->guard); i++) {
		a->guard[i] = pattern(&a->guard[i]);
		a->behind[i] = pattern(&a->behind[i]);
	}
}

/* Words that hold no longer what prepare() wrote, though no open event was there. The
 * upper half of an event's second word is padding, which belongs to the 16 bytes. */
static uint64_t words_overwritten(const struct attacker *a)
{
	uint64_t n = 0;

	for (unsigned i = ALIAS_WORDS; i < ARENA_WORDS; i++)
		n += !a->may_change[i] && a->arena[i] != pattern(&a->arena[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(a->guard); i++)
		n += (a->guard[i] != pattern(&a->guard[i])) + (a->behind[i] != pattern(&a->behind[i]));
	return n;
}

static void close_everything(void)
{
	for (int32_t id = 0; id < SMALL_IDS; id++)
		perf_op(KVM_PV_PERF_OP_CLOSE, id);
	for (unsigned i = 0; i < ARRAY_SIZE(odd_ids); i++)
		perf_op(KVM_PV_PERF_OP_CLOSE, odd_ids[i]);
}

/* With all closed there must be room for as many events as ever. */
static void test_room(void)
{
	static struct kvm_pmu_event event;
	struct kvm_pv_perf_attr attr = kvm_pmu_attr(PV_TYPE_HARDWARE, PV_HW_INSTRUCTIONS, false, false);
	struct kvm_pmu_capabilities capabilities = { 0 };
	uint32_t opened = 0;

	kvm_pmu_discover(&capabilities);
	while (opened <= capabilities.max_events && kvm_pmu_open(&event, &attr) == 0)
		opened++;
	report(opened == capabilities.max_events, "%u events can be opened afterwards, of %u", opened,
	       capabilities.max_events);
}

/* Some of what is opened samples: its NMIs come at any time, and are no concern of this test. */
static void ignore_nmi(struct exception_frame *frame)
{
	(void)frame;
}

int guest_main(void)
{
	uint64_t seed;

	option_only("count", "seed", NULL);
	count = option_number("count", 25000);
	seed = option_number("seed", 1);
	exception_set(VECTOR_NMI, ignore_nmi);
	for (unsigned i = 0; i < cpu_count(); i++)
		prepare(&attackers[i], seed + i);
	smp_run_all(attack, NULL);
	close_everything();
	for (unsigned i = 0; i < cpu_count(); i++) {
		const struct attacker *a = &attackers[i];

		report(!a->strange, "vCPU %u: %lu calls succeeded, %lu were refused, %lu gave a strange result (%ld)", i,
		       a->opened, a->refused, a->strange, a->strange_result);
		report(!a->damaged, "vCPU %u: %lu parameter blocks changed", i, a->damaged);
		report(!words_overwritten(a), "vCPU %u: %lu words overwritten outside of events", i, words_overwritten(a));
	}
	test_room();
	return report_summary();
}
