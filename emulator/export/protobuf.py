# SPDX-License-Identifier: GPL-2.0-only
"""As much of protobuf's wire format as a Perfetto trace needs: messages are bytes, fields are concatenated."""

from __future__ import annotations

_VARINT, _FIXED64, _BYTES = 0, 1, 2
_U64 = (1 << 64) - 1


def varint(value: int) -> bytes:
    """A number of up to 64 bits, seven of them in a byte; negative ones in two's complement."""
    value &= _U64
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)


def number(field: int, value: int) -> bytes:
    """A field of type int32, int64, uint32, uint64, bool or enum."""
    return varint(field << 3 | _VARINT) + varint(value)


def fixed64(field: int, value: int) -> bytes:
    """A field of type fixed64."""
    return varint(field << 3 | _FIXED64) + (value & _U64).to_bytes(8, "little")


def message(field: int, body: bytes) -> bytes:
    """A field of type message or bytes."""
    return varint(field << 3 | _BYTES) + varint(len(body)) + body


def string(field: int, text: str) -> bytes:
    """A field of type string."""
    return message(field, text.encode(errors="replace"))
