# SPDX-License-Identifier: GPL-2.0-only
"""The vCPUs' sample rings, as the host process empties them. `ffi` and `lib` are those of the core."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

# A round looks at every ring. They come as often as it takes to find rings half empty, seconds apart.
_SHORTEST = 0.001
_LONGEST = 0.032
# After so long without samples the receiver is told that there are none, seconds.
_SILENCE = 0.25
_SAMPLE_BYTES = 48  # of one without a call chain: what damage costs is estimated by


class Rings:
    """Reads the rings of one VM, and passes on what comes out of them."""

    def __init__(self, ffi: Any, lib: Any, rings: list[Any], ring_bytes: int, events: int) -> None:
        """`rings` are `struct pv_sample_ring *` by vCPU, with room for `ring_bytes` of data each."""
        self._ffi = ffi
        self._lib = lib
        self._ring_bytes = ring_bytes
        self._readers = [ffi.new("struct sample_reader *") for _ in rings]
        for vcpu, (reader, ring) in enumerate(zip(self._readers, rings, strict=True)):
            reader.ring, reader.ring_bytes, reader.vcpu, reader.events = ring, ring_bytes, vcpu, events
        self._buffer = ffi.new("uint8_t[]", ring_bytes)
        self._spoke = time.monotonic()
        self.interval = _SHORTEST  # until the next round, seconds

    def drain(self, send: Callable[[int, bytes], None]) -> bool:
        """One round: `send` gets a vCPU and its samples. False if there were none."""
        fullest = 0
        for vcpu, reader in enumerate(self._readers):
            fullest = max(fullest, self._lib.sample_ring_used(reader))
            if size := self._lib.sample_ring_read(reader, self._buffer, self._ring_bytes):
                send(vcpu, bytes(self._ffi.buffer(self._buffer, size)))
        now = time.monotonic()
        if fullest:
            self._spoke = now
        elif now - self._spoke > _SILENCE:
            self._spoke = now
            send(0, b"")
        if fullest > self._ring_bytes // 4:
            self.interval = max(self.interval / 2, _SHORTEST)
        elif fullest < self._ring_bytes // 16:
            self.interval = min(self.interval * 2, _LONGEST)
        return fullest > 0

    def lost(self) -> tuple[int, ...]:
        """By vCPU: the samples that found no room, and about those that were damaged."""
        return tuple(
            int(self._lib.sample_ring_lost(reader)) + (reader.discarded + _SAMPLE_BYTES - 1) // _SAMPLE_BYTES
            for reader in self._readers
        )
