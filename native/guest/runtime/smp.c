/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest.h"

void completion_add(struct completion *completion)
{
	uint64_t waiters;

	atomic_fetch_add(&completion->done, 1u);
	waiters = atomic_exchange(&completion->waiters, 0u);
	for (unsigned i = 0; waiters >> i; i++) {
		if (waiters >> i & 1)
			kick(i);
		if (i == 63)
			break;
	}
}

/* The bit is set before the last look, and a kick before the halt ends the halt at
 * once: so the wake-up cannot be lost. */
void completion_wait(struct completion *completion, uint64_t value)
{
	while (atomic_load(&completion->done) < value) {
		if (cpu_this()->current) {
			cpu_relax();
			task_yield();
			continue;
		}
		__atomic_fetch_or(&completion->waiters, 1ull << cpu_index(), __ATOMIC_SEQ_CST);
		if (atomic_load(&completion->done) < value && !task_run_one())
			halt();
	}
}

/* Takes this vCPU's call, if there is one, and does it. */
static bool call_run_one(struct cpu *cpu)
{
	void (*fn)(void *arg) = atomic_load(&cpu->call);
	void *arg = cpu->call_arg;

	if (!fn)
		return false;
	atomic_store(&cpu->call, NULL);
	fn(arg);
	completion_add(&cpu->calls_done);
	return true;
}

void smp_call(unsigned vcpu, void (*fn)(void *arg), void *arg)
{
	struct cpu *cpu = cpu_get(vcpu);

	if (vcpu == cpu_index()) {
		fn(arg);
		return;
	}
	spin_lock(&cpu->call_lock);
	while (atomic_load(&cpu->call))
		cpu_relax();
	cpu->call_arg = arg;
	cpu->calls_given++;
	atomic_store(&cpu->call, fn);
	spin_unlock(&cpu->call_lock);
	kick(vcpu);
}

void smp_wait(unsigned vcpu)
{
	struct cpu *cpu = cpu_get(vcpu);

	if (vcpu != cpu_index())
		completion_wait(&cpu->calls_done, atomic_load(&cpu->calls_given));
}

void smp_run_all(void (*fn)(void *arg), void *arg)
{
	unsigned self = cpu_index();

	for (unsigned i = 0; i < cpu_count(); i++)
		if (i != self)
			smp_call(i, fn, arg);
	fn(arg);
	for (unsigned i = 0; i < cpu_count(); i++)
		smp_wait(i);
}

void barrier_wait(struct barrier *barrier, unsigned n)
{
	uint32_t generation = atomic_load(&barrier->generation);

	if (atomic_fetch_add(&barrier->arrived, 1u) + 1 == n) {
		atomic_store(&barrier->arrived, 0u);
		atomic_store(&barrier->generation, generation + 1);
		return;
	}
	while (atomic_load(&barrier->generation) == generation)
		cpu_relax();
}

_Noreturn void smp_worker(void)
{
	for (;;)
		if (!call_run_one(cpu_this()) && !task_run_one())
			halt();
}
