/* SPDX-License-Identifier: GPL-2.0-only */
/* A PC's devices by their ports alone, with a clock that tests set. */
#ifndef PLATFORM_TEST_H
#define PLATFORM_TEST_H

#include "../checks.h"
#include "engine/devices/devices.h"

static const uint64_t second_ns = 1000000000;

extern struct pv_platform *pc;
extern uint64_t now; /* ns */

/* The devices after power on, at `now` 0, and nothing typed. */
void power_on(void);
uint8_t in(uint16_t port);
enum devices_exit out(uint16_t port, uint8_t value);
/* The first ns of a tick of the PIT's. */
uint64_t pit_ns(uint64_t tick);
/* The clock goes on to `at`, by way of everything that is due until then. */
void go_to(uint64_t at);
/* As Linux initialises them: vectors 0x30 to 0x3f, nothing masked. */
void pic_init(uint8_t icw4);
/* What a CPU does that takes interrupts: the vector, or -1. */
int interrupted(void);
void type(const char *text);

extern const struct named_test uart_tests[], pic_tests[], pit_tests[], cmos_tests[], apic_tests[];

#endif
