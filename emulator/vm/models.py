# SPDX-License-Identifier: GPL-2.0-only
"""What can be said of the cache and branch predictor models: "32K/8/64", "gshare:12"."""

from __future__ import annotations

import re
from typing import NamedTuple

from emulator.errors import UsageError

_MAX_BYTES = 64 << 20  # PV_CACHE_BYTES_MAX
_MAX_WAYS = 64  # PV_CACHE_WAYS_MAX
_LINES = (16, 4096)  # PV_CACHE_LINE_MIN, PV_CACHE_LINE_MAX
_MAX_BITS = 24  # PV_PREDICTOR_BITS_MAX

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20}
_CACHE = re.compile(r"([0-9]{1,9})([KM]?)/([0-9]{1,9})/([0-9]{1,9})")
_PREDICTOR = re.compile(r"gshare(?::([0-9]{1,9}))?")


class Cache(NamedTuple):
    """A cache: size and line in bytes. All 0: the engine's default."""

    size: int = 0
    ways: int = 0
    line: int = 0


def parse_cache(what: str, text: str | None) -> Cache:
    """SIZE/WAYS/LINE; None is the default. UsageError, which names `what`, for a cache that cannot be."""
    if text is None:
        return Cache()
    match = _CACHE.fullmatch(text)
    if match is None:
        raise UsageError(f"{what} '{text}' is not SIZE/WAYS/LINE, such as 32K/8/64")
    cache = Cache(int(match[1]) * _UNITS[match[2]], int(match[3]), int(match[4]))
    if not _LINES[0] <= cache.line <= _LINES[1] or not _is_power_of_two(cache.line):
        raise UsageError(f"the line of {what} '{text}' must be a power of two, {_LINES[0]} to {_LINES[1]} bytes")
    if not 1 <= cache.ways <= _MAX_WAYS:
        raise UsageError(f"{what} '{text}' must have 1 to {_MAX_WAYS} ways")
    sets, rest = divmod(cache.size, cache.ways * cache.line)
    if rest or not _is_power_of_two(sets) or cache.size > _MAX_BYTES:
        raise UsageError(
            f"the size of {what} '{text}' must be its ways times its line, times a power of two, and at most 64M"
        )
    return cache


def parse_caches(l1d: str | None, llc: str | None) -> tuple[Cache, Cache]:
    """Both levels. UsageError also if they do not fit together."""
    first, last = parse_cache("l1d", l1d), parse_cache("llc", llc)
    if (first.line or 64) > (last.line or 64):
        raise UsageError("a line of l1d cannot be longer than one of llc")
    return first, last


def parse_predictor(text: str | None) -> int:
    """Bits of history of "gshare:BITS"; 0 for "gshare" and None: the engine's default. UsageError for anything else."""
    match = _PREDICTOR.fullmatch(text or "gshare")
    if match is None or (match[1] and not 1 <= int(match[1]) <= _MAX_BITS):
        raise UsageError(f"predictor '{text}' is not gshare:BITS, with 1 to {_MAX_BITS} bits of history")
    return int(match[1] or 0)


def _is_power_of_two(number: int) -> bool:
    return number > 0 and not number & (number - 1)
