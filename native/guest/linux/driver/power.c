// SPDX-License-Identifier: GPL-2.0-only
/* Power off ends the VM: there is no ACPI that would. */
#include <linux/io.h>
#include <linux/reboot.h>

#include "pvperf_pmu.h"

static struct sys_off_handler *handler;

static int power_off(struct sys_off_data *data)
{
	outb(0, PV_PORT_EXIT);
	return NOTIFY_DONE;
}

int pv_power_init(void)
{
	handler = register_sys_off_handler(SYS_OFF_MODE_POWER_OFF, SYS_OFF_PRIO_DEFAULT, power_off, NULL);
	return PTR_ERR_OR_ZERO(handler);
}

void pv_power_exit(void)
{
	unregister_sys_off_handler(handler);
}
