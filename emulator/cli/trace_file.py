# SPDX-License-Identifier: GPL-2.0-only
"""The file of `--trace`: what the VMs of one command do, for https://ui.perfetto.dev."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping

from emulator.errors import UsageError
from emulator.files import Files, Growing, cannot_write
from emulator.recording.perfetto import TraceWriter
from emulator.recording.tracks import Tracks
from emulator.terminal.counted import agreed, counted
from emulator.vm.trace_records import Record

#: Records kept at most, unless --trace-records says otherwise: some 40 MB.
MOST_RECORDS = 1_000_000


class TraceFile:
    """Grows while a VM runs, in whole packets: it can be opened whatever ends the run, and when."""

    def __init__(self, files: Files, name: str, *, most: int | None, vcpus: int) -> None:
        """PvperfError if it cannot be written. `most`: records, of all boots; None: MOST_RECORDS."""
        if name == "-":
            raise UsageError("a trace does not go to stdout: name a file")
        self._growing = Growing(files, name)
        self._file = os.fdopen(self._growing.fd, "wb", closefd=False)
        self._name = name
        self._left = most or MOST_RECORDS
        self._vcpus = vcpus
        self._writer = TraceWriter(self._file)
        self._tracks: Tracks | None = None
        self._left_out = 0
        self.lost = 0  # records that the host had no room for: the statistic trace_lost

    def place(self) -> None:
        """A VM runs: from now on the trace is at its name. HostError."""
        self._growing.place()

    def boot(self, processes: Callable[[], Mapping[str, int]]) -> Callable[[list[Record]], None]:
        """What a VM that boots now gives its records to; `processes` gives its pids, once it runs."""
        self._finish()

        def draw(records: list[Record]) -> None:
            kept = records[: self._left]
            self._left -= len(kept)
            self._left_out += len(records) - len(kept)
            if not kept:
                return
            self.place()
            if self._tracks is None:
                self._tracks = Tracks(self._writer, vcpus=self._vcpus, processes=processes())
            self._tracks.feed(kept)
            self._flush()

        return draw

    def close(self) -> None:
        """Ends what is open, and says on stderr what the trace does not have."""
        try:
            self._finish()
        finally:
            with contextlib.suppress(OSError):  # what could not be written was complained of
                self._file.close()
            self._growing.close()
        if self._left_out:
            more = f"{self._left_out:,} more {agreed(self._left_out, 'was', 'were')} left out"
            _say(f"{self._name} has the first records, and {more} (see --trace-records)")
        if self.lost:
            lost = f"{counted(self.lost, 'record')} of the trace {agreed(self.lost, 'was', 'were')} lost"
            _say(f"{lost}: they came faster than they could be written")

    def _finish(self) -> None:
        tracks, self._tracks = self._tracks, None
        if tracks:
            tracks.finish()
            self._flush()

    def _flush(self) -> None:
        try:
            self._writer.flush()
        except OSError as error:
            raise cannot_write(self._name, error) from None


def _say(sentence: str) -> None:
    print(f"pvperf: {sentence}", file=sys.stderr)
