# SPDX-License-Identifier: GPL-2.0-only
"""Numbers and structs of the perf.data format that both its writer and its reader need."""

from __future__ import annotations

import struct
from typing import NamedTuple

MAGIC = b"PERFILE2"
MAGIC_SWAPPED = MAGIC[::-1]  # of a machine with the other byte order
MAGIC_FIRST = b"PERFFILE"  # of the format before this one
PIPE_HEADER_BYTES = 16  # of pipe mode: magic and size, and nothing else

# Magic, size, size of an attr with its ids; offset and size of attrs, data and event types; 256 feature bits.
HEADER = struct.Struct("<8sQQ6Q4Q")
SECTION = struct.Struct("<QQ")
FEATURE_BITS = 256
PREAMBLE = struct.Struct("<8sQ")  # what it has in common with pipe mode: magic, size

# perf_event_attr, version 7: type, size, config, sample_period, sample_type, read_format, flags, wakeup_events,
# bp_type, bp_addr, bp_len, and what is 0 here.
ATTR = struct.Struct("<IIQQQQQIIQQ56x")
ATTR_BYTES = 128
ATTR_MIN_BYTES = 64  # version 0

# perf_event_attr.flags, beside those that the guest's attr has in the same places.
ATTR_FLAGS_OF_GUEST = (1 << 8) - 1
ATTR_MMAP = 1 << 8
ATTR_COMM = 1 << 9
ATTR_FREQ = 1 << 10
ATTR_TASK = 1 << 13
ATTR_SAMPLE_ID_ALL = 1 << 18
ATTR_EXCLUDE_HOST = 1 << 19
ATTR_MMAP2 = 1 << 23
ATTR_COMM_EXEC = 1 << 24
ATTR_EXCLUDE_KERNEL = 1 << 5
ATTR_EXCLUDE_HV = 1 << 6
ATTR_FLAGS_KNOWN = (1 << 38) - 1  # up to sigtrap; what follows changes what call chains mean, or is not known

# perf_event_attr.sample_type.
SAMPLE_IP = 1 << 0
SAMPLE_TID = 1 << 1
SAMPLE_TIME = 1 << 2
SAMPLE_ADDR = 1 << 3
SAMPLE_CALLCHAIN = 1 << 5
SAMPLE_ID = 1 << 6
SAMPLE_CPU = 1 << 7
SAMPLE_PERIOD = 1 << 8
SAMPLE_STREAM_ID = 1 << 9
SAMPLE_IDENTIFIER = 1 << 16

# Of every record: type, misc, size with this header.
RECORD = struct.Struct("<IHH")
RECORD_MAX_BYTES = 0xFFFF & -8

RECORD_MMAP = 1
RECORD_LOST = 2
RECORD_COMM = 3
RECORD_EXIT = 4
RECORD_THROTTLE = 5
RECORD_UNTHROTTLE = 6
RECORD_FORK = 7
RECORD_SAMPLE = 9
RECORD_MMAP2 = 10
RECORD_LOST_SAMPLES = 13

# misc: where the CPU was. Samples of the guest are USER, so that plain `perf report` shows them, or else GUEST_*.
MISC_CPUMODE_MASK = 7
MISC_USER = 2
MISC_GUEST_KERNEL = 4
MISC_GUEST_USER = 5
MISC_COMM_EXEC = 1 << 13
MISC_MMAP_DATA = 1 << 13  # of the mapping records: it is not executable

# Markers in call chains: the addresses behind one are of that mode.
CONTEXT_USER = -512 & (1 << 64) - 1
CONTEXT_GUEST_KERNEL = -2176 & (1 << 64) - 1
CONTEXT_GUEST_USER = -2560 & (1 << 64) - 1
CONTEXT_MAX = -4095 & (1 << 64) - 1

PROT_READ_EXECUTE = 5
MAP_PRIVATE = 2

# Features, by bit of the header.
FEATURE_BUILD_ID = 2
FEATURE_HOSTNAME = 3
FEATURE_OSRELEASE = 4
FEATURE_VERSION = 5
FEATURE_ARCH = 6
FEATURE_NRCPUS = 7
FEATURE_CPUDESC = 8
FEATURE_CPUID = 9
FEATURE_TOTAL_MEM = 10
FEATURE_CMDLINE = 11
FEATURE_EVENT_DESC = 12
FEATURE_SAMPLE_TIME = 21

# The guest is one process, and its vCPUs are threads of it. perf looks at /proc/PID of the machine that it runs on, so
# the number is above every real one (PID_MAX_LIMIT, 4194304); vCPU k is thread GUEST_PID + k.
GUEST_PID = 10_000_000


class AttrFields(NamedTuple):
    """What a perf_event_attr says of an event."""

    type: int
    config: int
    sample_period: int  # with ATTR_FREQ: samples a second
    sample_type: int
    read_format: int
    flags: int
    bp_type: int = 0
    bp_addr: int = 0
    bp_len: int = 0

    def pack(self) -> bytes:
        """As it stands in the file."""
        head = (self.type, ATTR_BYTES, self.config, self.sample_period, self.sample_type, self.read_format, self.flags)
        return ATTR.pack(*head, 0, self.bp_type, self.bp_addr, self.bp_len)


def unpack_attr(data: bytes) -> AttrFields:
    """The attr in `data`, of which at least ATTR_MIN_BYTES are there; fields beyond its end are 0."""
    kind, _, config, period, sample_type, read_format, flags, _, bp_type, bp_addr, bp_len = ATTR.unpack(
        data[:ATTR_BYTES].ljust(ATTR_BYTES, b"\0")
    )
    return AttrFields(kind, config, period, sample_type, read_format, flags, bp_type, bp_addr, bp_len)


def padded(text: bytes, unit: int = 8) -> bytes:
    """`text` with at least one NUL behind it, and more up to a multiple of `unit` bytes."""
    return text + bytes(unit - len(text) % unit)
