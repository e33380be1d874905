# SPDX-License-Identifier: GPL-2.0-only
"""What a command reads and writes. Every file that pvperf writes for a user goes through here, and these are the rules:

- An output is never an input of the same command, nor another of its outputs, by whatever name. UsageError, and nothing
  was touched.
- Whether a file can be written is known before any work is done: UsageError for a name where no file can be, HostError
  for a file system, or permissions, that do not let it be.
- An Output appears whole at the end or not at all, and all outputs of a command together. A Growing file (a recording,
  a trace) is readable at any moment; it takes its name when the VM has started, and what had it before is `NAME.old`.
- What was there survives every failure, and no temporary file does. Links are followed; owner and mode stay.
- `-`, /dev/stdout, /dev/fd/N, pipes and character devices are written, and not replaced.
"""

from __future__ import annotations

from emulator.files.command_files import Files, uninterrupted
from emulator.files.errors import cannot_write
from emulator.files.growing import Growing
from emulator.files.output import Output
from emulator.files.whole import read_whole, write_whole

__all__ = ["Files", "Growing", "Output", "cannot_write", "read_whole", "uninterrupted", "write_whole"]
