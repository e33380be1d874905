# SPDX-License-Identifier: GPL-2.0-only
"""Text of others, such as names in files, as it may be shown: a terminal obeys it nowhere, and a line stays one."""

from __future__ import annotations

_BYTES_THAT_ARE_NO_TEXT = range(0xDC80, 0xDD00)  # as os.fsdecode() has them


def printable(text: str) -> str:
    r"""`text` with whatever is not printable, or no text at all, as \x1b or \u2028."""
    return text if text.isprintable() else "".join(map(_escape, text))


def _escape(letter: str) -> str:
    if letter.isprintable():
        return letter
    number = ord(letter)
    if number in _BYTES_THAT_ARE_NO_TEXT:
        return f"\\x{number & 0xFF:02x}"
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
