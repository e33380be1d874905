/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/decode/port_access.h"

enum { REX = 0x40, REX_W = 0x48 };

/* Of an instruction that takes no LOCK. */
static bool is_prefix(uint8_t byte)
{
	switch (byte) {
	case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: case 0x66: case 0x67: case 0xf2: case 0xf3:
		return true;
	default:
		return (byte & 0xf0) == REX;
	}
}

struct port_access port_decode(const uint8_t *code, unsigned length)
{
	struct port_access ret = { .size = 4 };
	bool word = false;
	unsigned at = 0;

	for (; at + 1 < length && is_prefix(code[at]); at++)
		word |= code[at] == 0x66;
	if (!(code[at] & 1))
		ret.size = 1;
	else if (word && !(at && (code[at - 1] & 0xf8) == REX_W))
		ret.size = 2;
	ret.in_dx = (code[at] & 0xfc) != 0xe4;
	if (!ret.in_dx)
		ret.immediate = code[at + 1];
	return ret;
}
