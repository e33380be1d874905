/* SPDX-License-Identifier: GPL-2.0-only */
/* The native threads of a VM: one that serves each vCPU's exits, and the timer's. */
#include "core/vm/host_thread.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "abi/handover.h"
#include "core/exits/exit.h"
#include "core/host/host.h"
#include "core/locks/punctual.h"
#include "core/vcpu/run_copy.h"
#include "core/vcpu/vcpu.h"
#include "core/vm/timer_thread.h"

static void told_of_panic(void *context, const char *text)
{
	struct pv_vm *vm = context;
	struct pv_vm_end end = { .reason = PV_END_HOST_PANIC, .vcpu = -1 };

	snprintf(end.text, sizeof(end.text), "%s", text);
	pv_u32_store(&vm->end.panicked, 1);
	pv_self()->held = 0;
	pv_self()->nmi = 0; /* what it interrupted does not go on */
	vm_force_end(vm, &end);
}

void host_thread_adopt(struct pv_vm *vm, struct pv_thread *thread, const char *name)
{
	*thread = (struct pv_thread){ .panic = told_of_panic, .context = vm,
				      .panicked = &vm->end.panicked.v };
	snprintf(thread->name, sizeof(thread->name), "%s", name);
	pv_thread_adopt(thread);
}

/* Serves the exit in the run page and lets the vCPU go on. False: it does not go on. */
static bool serve_exit(struct pv_vcpu *vcpu)
{
	struct pv_run *shared = vcpu->vm->runs[vcpu->index];
	enum pv_entry_action action;

	run_take(shared, vcpu->run);
	vcpu_leave_guest(vcpu);
	action = exit_serve(vcpu);
	if (action == PV_ENTER_STOP)
		pv_u32_store(&vcpu->stopped, 1);
	else if (vm_phase(vcpu->vm) == PHASE_OVER || !vcpu_enter_guest(vcpu))
		return false;
	vcpu->run->action = action;
	run_give(shared, vcpu->run);
	handover_enter(shared);
	return action != PV_ENTER_STOP;
}

static void serve_until_end(void *arg)
{
	struct pv_vcpu *vcpu = arg;
	struct pv_run *run = vcpu->vm->runs[vcpu->index];

	while (handover_wait_exit(run, vcpu->vm->config.page, run->entry_count) == PV_HANDED)
		if (!serve_exit(vcpu))
			return;
}

/* The vCPU's time stands still from here on. */
static void stop_its_time(void *arg)
{
	struct pv_vcpu *vcpu = arg;

	pv_mutex_lock(&vcpu->event_mutex);
	pmu_freeze(vcpu);
	pv_mutex_unlock(&vcpu->event_mutex);
}

static void *vcpu_main(void *arg)
{
	struct pv_vcpu *vcpu = arg;
	char name[16];

	snprintf(name, sizeof(name), "host/vcpu%u", vcpu->index);
	host_thread_adopt(vcpu->vm, &vcpu->thread, name);
	vcpu->thread.trace = trace_ring_of(vcpu->vm, vcpu->index);
	pthread_setname_np(pthread_self(), name);
	if (pv_guarded(serve_until_end, vcpu))
		pv_guarded(stop_its_time, vcpu);
	trace(vcpu->vm, PV_TRACE_STOP, vcpu->index, 0, 0, 0);
	end_thread_left(vcpu->vm);
	return NULL;
}

static void run_timer(void *arg)
{
	timer_run(arg);
}

static void *timer_main(void *arg)
{
	struct pv_vm *vm = arg;

	punctual_be(); /* clocks overflow when they are due */
	host_thread_adopt(vm, &vm->timer_thread, "host/timer");
	vm->timer_thread.trace = trace_ring_of(vm, vm->config.vcpus + PV_TRACE_RING_TIMER);
	pthread_setname_np(pthread_self(), "host/timer");
	pv_guarded(run_timer, vm);
	end_thread_left(vm);
	return NULL;
}

/* The k-th of the cores that this process may use, modulo their number; -1: not known. */
static int core_for(uint32_t k)
{
	cpu_set_t allowed;
	int n;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return -1;
	n = (int)k % CPU_COUNT(&allowed);
	for (int core = 0; core < CPU_SETSIZE; core++)
		if (CPU_ISSET(core, &allowed) && !n--)
			return core;
	return -1;
}

static int start_vcpu(struct pv_vcpu *vcpu)
{
	int core = vcpu->vm->config.pin ? core_for(vcpu->index) : -1;
	pthread_attr_t attr;
	cpu_set_t set;
	int ret;

	if (pthread_attr_init(&attr))
		return ENOMEM;
	CPU_ZERO(&set);
	if (core >= 0) {
		CPU_SET(core, &set);
		pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	}
	ret = pthread_create(&vcpu->pthread, &attr, vcpu_main, vcpu);
	if (ret && core >= 0) /* a hint, as in the engine: a sandbox may forbid it */
		ret = pthread_create(&vcpu->pthread, NULL, vcpu_main, vcpu);
	pthread_attr_destroy(&attr);
	return ret;
}

/* Threads that could not be started count as left, so that the VM can end. */
static void start_failed(struct pv_vm *vm, int error)
{
	vm_host_error(vm, -1, error, "a host thread cannot be started");
	if (!vm->timer_started)
		end_thread_left(vm);
	for (uint32_t i = vm->threads; i < vm->config.vcpus; i++)
		end_thread_left(vm);
}

/* From here on vCPUs are processes, and their run pages theirs, too. */
static int copies_create(struct pv_vm *vm)
{
	if (vm->run_copies)
		return 0;
	vm->run_copies = vm->hooks.alloc(vm->hooks.context, vm->config.vcpus * sizeof(struct pv_run));
	if (!vm->run_copies)
		return -ENOMEM;
	for (uint32_t i = 0; i < vm->config.vcpus; i++)
		vm->vcpus[i].run = &vm->run_copies[i];
	return 0;
}

int host_threads_start(struct pv_vm *vm)
{
	int ret = copies_create(vm);

	if (!ret)
		ret = end_start(vm, vm->config.vcpus + 1);
	if (ret)
		return ret;
	ret = pthread_create(&vm->timer_pthread, NULL, timer_main, vm);
	vm->timer_started = !ret;
	while (!ret && vm->threads < vm->config.vcpus) {
		ret = start_vcpu(&vm->vcpus[vm->threads]);
		vm->threads += !ret;
	}
	if (ret)
		start_failed(vm, ret);
	return -ret;
}

void host_threads_join(struct pv_vm *vm)
{
	for (; vm->threads; vm->threads--)
		pthread_join(vm->vcpus[vm->threads - 1].pthread, NULL);
	if (vm->timer_started)
		pthread_join(vm->timer_pthread, NULL);
	vm->timer_started = false;
}
