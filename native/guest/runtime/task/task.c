/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest.h"

enum { SAVED_WORDS = 6 }; /* by task_switch() */

void task_switch(uint64_t *save, uint64_t load);
void task_entry(void);
void task_main(void);

/* A task is queued only once its registers are saved, by whoever saved them or by its
 * creator: so any vCPU may take it from then on. */
static void queue_add(struct task *task)
{
	struct cpu *cpu = cpu_get(task->next_vcpu);

	task->next = NULL;
	spin_lock(&cpu->queue_lock);
	if (cpu->queue_tail)
		cpu->queue_tail->next = task;
	else
		cpu->queue_head = task;
	cpu->queue_tail = task;
	spin_unlock(&cpu->queue_lock);
	if (cpu->index != cpu_index())
		kick(cpu->index);
}

static struct task *queue_take(struct cpu *cpu)
{
	struct task *task;

	spin_lock(&cpu->queue_lock);
	task = cpu->queue_head;
	if (task) {
		cpu->queue_head = task->next;
		if (!cpu->queue_head)
			cpu->queue_tail = NULL;
	}
	spin_unlock(&cpu->queue_lock);
	return task;
}

void task_start(struct task *task, unsigned vcpu, void (*fn)(void *arg), void *arg)
{
	uint64_t *top = (uint64_t *)(task->stack + TASK_STACK);

	*task = (struct task){ .fn = fn, .arg = arg, .next_vcpu = vcpu };
	top -= 2; /* task_entry starts with its stack aligned as a function's caller has it */
	top[0] = (uint64_t)task_entry;
	top -= SAVED_WORDS;
	task->rsp = (uint64_t)top;
	queue_add(task);
}

/* Back to the scheduler of this vCPU; returns on the vCPU that runs the task next. */
static void leave(struct task *task)
{
	task_switch(&task->rsp, cpu_this()->scheduler_rsp);
}

/* First code of every task. The scheduler reports its end, when its stack is no longer in use. */
void task_main(void)
{
	struct task *task = task_current();

	task->fn(task->arg);
	task->over = true;
	leave(task);
}

bool task_run_one(void)
{
	struct cpu *cpu = cpu_this();
	struct task *task = queue_take(cpu);

	if (!task)
		return false;
	cpu->current = task;
	task_switch(&cpu->scheduler_rsp, task->rsp);
	cpu->current = NULL;
	if (task->over)
		completion_add(&task->finished);
	else
		queue_add(task);
	return true;
}

void task_join(struct task *task)
{
	completion_wait(&task->finished, 1);
}

struct task *task_current(void)
{
	return cpu_this()->current;
}

static void need(int64_t ret, const char *what, const struct kvm_pmu_event *event)
{
	if (ret == 0)
		return;
	console_printf("guest: cannot %s event %d of a task: error %ld\n", what, event->id, ret);
	guest_exit(STATUS_CRASHED);
}

/* The newest event last on the way in, first on the way out; so windows nest. */
static void events_enable(struct kvm_pmu_event *event)
{
	if (!event)
		return;
	events_enable(event->next);
	need(kvm_pmu_enable(event), "enable", event);
}

static void events_disable(struct kvm_pmu_event *event)
{
	for (; event; event = event->next)
		need(kvm_pmu_disable(event), "disable", event);
}

void task_migrate(unsigned vcpu)
{
	struct task *task = task_current();

	events_disable(task->events);
	task->next_vcpu = vcpu;
	leave(task);
	events_enable(task->events);
}

void task_yield(void)
{
	task_migrate(cpu_index());
}

int64_t task_event_attach(struct kvm_pmu_event *event)
{
	struct task *task = task_current();

	event->next = task->events;
	task->events = event;
	return kvm_pmu_enable(event);
}

int64_t task_event_detach(struct kvm_pmu_event *event)
{
	int64_t ret = kvm_pmu_disable(event);

	for (struct kvm_pmu_event **at = &task_current()->events; *at; at = &(*at)->next) {
		if (*at == event) {
			*at = event->next;
			break;
		}
	}
	return ret;
}
