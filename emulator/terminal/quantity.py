# SPDX-License-Identifier: GPL-2.0-only
"""Sizes and durations as the command line takes them."""

from __future__ import annotations

import argparse

_SIZES = {"": 1 << 20, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SECONDS = {"": 1.0, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def _split(text: str) -> tuple[str, str]:
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    return digits, text[len(digits) :]


def size(text: str) -> int:
    """Bytes of "64M", "1G", "512K"; a bare number is MiB, as QEMU has it."""
    digits, suffix = _split(text)
    unit = _SIZES.get(suffix.upper().removesuffix("IB").removesuffix("B") if suffix.upper() != "B" else "?")
    if unit is None or not (digits.isascii() and digits.isdigit()):
        raise argparse.ArgumentTypeError(f"'{text}' is not a size such as 64M, 512K or 1G")
    return int(digits) * unit


def duration(text: str) -> float:
    """Seconds of "10s", "500ms", "2m", "1h"; a bare number is seconds."""
    digits, suffix = _split(text)
    plain = digits.replace(".", "", 1)
    if suffix not in _SECONDS or not (plain.isascii() and plain.isdigit()):
        raise argparse.ArgumentTypeError(f"'{text}' is not a time such as 10s, 500ms or 2m")
    seconds = float(digits) * _SECONDS[suffix]
    if not 0 < seconds <= 1e6:
        raise argparse.ArgumentTypeError(f"a time must be more than 0 and at most 1000000 s, and '{text}' is not")
    return seconds


def positive(text: str) -> int:
    """A whole number from 1 to 1,000,000,000."""
    if not (text.isascii() and text.isdigit()) or not 0 < int(text) <= 10**9:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number above 0")
    return int(text)


def period(text: str) -> int:
    """A sampling period: 1 to 2^63 - 1, PV_PERIOD_BITS."""
    return _within(text, 1, (1 << 63) - 1)


def rate(text: str) -> int:
    """Samples a second: 1 to 1,000,000, as the core has it (MOST_FREQUENT)."""
    return _within(text, 1, 1_000_000)


def seed(text: str) -> int:
    """64 bits."""
    return _within(text, 0, (1 << 64) - 1)


def preemptions(text: str) -> int:
    """A bound on preemptions: 0 to 1,000, which no search ever reaches."""
    return _within(text, 0, 1000)


def _within(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 20 or not least <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from {least} to {most}")
    return int(text)


def names(text: str) -> tuple[str, ...]:
    """Names separated by commas, each once."""
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not found:
        raise argparse.ArgumentTypeError("a name is missing")
    return found


def whole(text: str) -> int:
    """Any whole number; whether it makes sense is decided where it is used."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number") from None
