/* SPDX-License-Identifier: GPL-2.0-only */
#include "guest.h"

#include "exception_name.h"

enum {
	GATE_INTERRUPT = 0x8e,      /* present, CPL 0 */
	GATE_INTERRUPT_USER = 0xee, /* present, `int n` allowed from CPL 3 */
	IST_NMI = 1,
	IST_FAULT = 2,
	STUB_BYTES = 16,
};

struct gate {
	uint16_t offset0, selector;
	uint8_t ist, type;
	uint16_t offset1;
	uint32_t offset2, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "gate");

extern const uint8_t vector_stubs[VECTORS][STUB_BYTES], vector_stubs_avx[VECTORS][STUB_BYTES];
void exception_dispatch(struct exception_frame *frame);

static exception_handler handlers[VECTORS];
static const uint8_t (*stubs)[STUB_BYTES] = vector_stubs;

exception_handler exception_set(unsigned vector, exception_handler handler)
{
	return atomic_exchange(&handlers[vector], handler);
}

uint64_t exception_address(void)
{
	uint64_t address;

	__asm__ volatile("mov %%cr2, %0" : "=r"(address));
	return address;
}

static struct gate gate_to(unsigned vector)
{
	uint64_t stub = (uint64_t)stubs[vector];
	struct gate gate = {
		.offset0 = (uint16_t)stub,
		.offset1 = (uint16_t)(stub >> 16),
		.offset2 = (uint32_t)(stub >> 32),
		.selector = SELECTOR_KERNEL_CODE,
		.type = GATE_INTERRUPT,
	};

	if (vector == VECTOR_BREAKPOINT || vector == VECTOR_USER)
		gate.type = GATE_INTERRUPT_USER;
	if (vector == VECTOR_NMI)
		gate.ist = IST_NMI;
	if (vector == VECTOR_DOUBLE_FAULT)
		gate.ist = IST_FAULT;
	return gate;
}

/* The IDT is the same for all; vCPU 0 and the others may well fill it at once, with the
 * same bytes. A guest that changes a gate first sees that all have booted: smp_run_all(). */
void exception_load(void)
{
	static struct gate idt[VECTORS] __attribute__((aligned(16)));
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idtr = { sizeof(idt) - 1, (uint64_t)idt };

	for (unsigned i = 0; i < VECTORS; i++)
		idt[i] = gate_to(i);
	__asm__ volatile("lidt %0" : : "m"(idtr));
}

void exception_save_avx(void)
{
	stubs = vector_stubs_avx;
	exception_load();
}

static _Noreturn void crash(const struct exception_frame *frame)
{
	const char *name = exception_name(frame->vector);

	console_break_lock();
	console_printf("guest: vCPU %u: unexpected %s (vector %lu) at RIP 0x%lx, error code 0x%lx, CR2 0x%lx, "
		       "CS 0x%lx, RSP 0x%lx\n",
		       cpu_index(), name ? name : "interrupt", frame->vector, frame->rip, frame->error, exception_address(), frame->cs,
		       frame->rsp);
	guest_exit(STATUS_CRASHED);
}

/* Called by vectors.S. */
void exception_dispatch(struct exception_frame *frame)
{
	exception_handler handler = __atomic_load_n(&handlers[frame->vector], __ATOMIC_ACQUIRE);

	if (handler)
		handler(frame);
	else if (frame->vector == VECTOR_USER && (frame->cs & 3))
		user_request(frame);
	else
		crash(frame);
}
