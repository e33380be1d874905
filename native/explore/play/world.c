/* SPDX-License-Identifier: GPL-2.0-only */
#include "explore/play/world.h"

#include <stdlib.h>
#include <string.h>

struct world world;

void world_release(void *page)
{
	free(page);
	free(world.ram);
	free(world.run_pages);
	memset(&world, 0, sizeof(world));
}
