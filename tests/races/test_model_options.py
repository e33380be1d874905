# SPDX-License-Identifier: GPL-2.0-only
"""The models' parameters as text: what is refused, and that the engine refuses the same."""

from __future__ import annotations

import errno

import pytest
from fake_host import FakeHost

from emulator.errors import UsageError
from emulator.vm.machine import MachineConfig
from emulator.vm.models import Cache, parse_caches, parse_predictor


@pytest.mark.parametrize(
    ("text", "cache"),
    [
        (None, Cache(0, 0, 0)),
        ("32K/8/64", Cache(32 << 10, 8, 64)),
        ("64/1/64", Cache(64, 1, 64)),
        ("48K/12/64", Cache(48 << 10, 12, 64)),
        ("64M/16/64", Cache(64 << 20, 16, 64)),
    ],
)
def test_cache(text: str | None, cache: Cache) -> None:
    assert parse_caches(text, text) == (cache, cache)


@pytest.mark.parametrize(
    ("l1d", "llc", "sentence"),
    [
        ("", None, "l1d '' is not SIZE/WAYS/LINE"),
        (None, "1M", "llc '1M' is not SIZE/WAYS/LINE"),
        (None, "1G/16/64", "llc '1G/16/64' is not SIZE/WAYS/LINE"),
        ("-1/8/64", None, "is not SIZE/WAYS/LINE"),
        ("32K/8/48", None, "the line of l1d '32K/8/48' must be a power of two, 16 to 4096"),
        ("32K/8/8", None, "the line of l1d"),
        (None, "64K/1/8192", "the line of llc"),
        ("32K/0/64", None, "l1d '32K/0/64' must have 1 to 64 ways"),
        ("32K/128/64", None, "must have 1 to 64 ways"),
        ("33K/8/64", None, "the size of l1d '33K/8/64' must be"),
        ("0/8/64", None, "the size of l1d"),
        (None, "128M/16/64", "the size of llc '128M/16/64' must be"),
        ("32K/8/128", None, "a line of l1d cannot be longer than one of llc"),
    ],
)
def test_cache_that_cannot_be(l1d: str | None, llc: str | None, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        MachineConfig(l1d=l1d, llc=llc)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_predictor() -> None:
    assert [parse_predictor(text) for text in (None, "gshare", "gshare:1", "gshare:24")] == [0, 0, 1, 24]
    for text in ("gshare:0", "gshare:25", "gshare:", "tage", "gshare:x"):
        with pytest.raises(UsageError, match=f"predictor '{text}' is not gshare:BITS"):
            MachineConfig(predictor=text)


@pytest.mark.parametrize("size", [64, 1000, 3 << 10, 4096, 64 << 20, 128 << 20])
@pytest.mark.parametrize(("ways", "line"), [(0, 64), (1, 64), (3, 64), (64, 64), (65, 64), (1, 8), (1, 48), (1, 8192)])
def test_the_engine_refuses_the_same(size: int, ways: int, line: int) -> None:
    try:
        parse_caches(f"{size}/{ways}/{line}", "64M/1/4096")
    except UsageError:
        expected = -errno.EINVAL
    else:
        expected = 0
    host = FakeHost(b"", l1d=(size, ways, line), llc=(64 << 20, 1, 4096))
    assert host.create()[0] == expected
    if not expected:
        host.destroy()
