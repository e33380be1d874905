# SPDX-License-Identifier: GPL-2.0-only
"""What a perf.data file may hold beside what is read: what can be passed over, and what cannot.

A record or a feature that carries samples, or says what others mean, must not be passed over: the answer would look
complete and be wrong. So what is not in these tables is refused, too. The numbers are those of Linux 6.18:
uapi/linux/perf_event.h, tools/lib/perf/include/perf/event.h and tools/perf/util/header.h.
"""

from __future__ import annotations

from emulator.errors import DataError
from emulator.recording.perfdata import layout

#: Records that no sample depends on: who ran, where, in which namespace; how the file is laid out.
PASSED_OVER = frozenset(
    (
        layout.RECORD_EXIT,
        layout.RECORD_UNTHROTTLE,
        8,  # READ: the count of a task's event at its exit
        14,  # SWITCH
        15,  # SWITCH_CPU_WIDE
        16,  # NAMESPACES
        17,  # KSYMBOL
        18,  # BPF_EVENT
        19,  # CGROUP
        20,  # TEXT_POKE
        67,  # HEADER_BUILD_ID
        68,  # FINISHED_ROUND
        69,  # ID_INDEX
        73,  # THREAD_MAP
        74,  # CPU_MAP
        78,  # EVENT_UPDATE: a name or a unit
        79,  # TIME_CONV
        82,  # FINISHED_INIT
        84,  # BPF_METADATA
    )
)

_COMPRESSED = "compressed records (perf record -z)"
_TRACES = "traces of a processor (perf record of intel_pt, cs_etm, arm_spe or the like)"
_COUNTS = "counts of perf stat record, and no samples"
_PIPE = "records that belong to perf's pipe mode"
_SCHEDULER = "figures of perf sched stats, and no samples"

#: What the others are, as far as they are known.
_RECORDS = {
    **dict.fromkeys((11, 12, 21, 70, 71, 72), _TRACES),  # AUX, ITRACE_START, AUX_OUTPUT_HW_ID, AUXTRACE_*
    22: "call chains that come in records of their own (CALLCHAIN_DEFERRED)",
    **dict.fromkeys((64, 65, 66, 80), _PIPE),  # HEADER_ATTR, HEADER_EVENT_TYPE, HEADER_TRACING_DATA, HEADER_FEATURE
    **dict.fromkeys((75, 76, 77), _COUNTS),  # STAT_CONFIG, STAT, STAT_ROUND
    **dict.fromkeys((81, 83), _COMPRESSED),  # COMPRESSED, COMPRESSED2
    **dict.fromkeys((85, 86), _SCHEDULER),  # SCHEDSTAT_CPU, SCHEDSTAT_DOMAIN
}

#: Features, by bit: of what there is up to CPU_DOMAIN_INFO, these say that samples are elsewhere or otherwise.
_FEATURES_KNOWN = 33
_FEATURES = {
    18: _TRACES,  # AUXTRACE
    19: _COUNTS,  # STAT
    24: "samples in other files of its directory (perf record --threads)",  # DIR_FORMAT
    27: _COMPRESSED,
}


def refuse_record(kind: int) -> None:
    """DataError, unless records of that type can be passed over."""
    if kind not in PASSED_OVER:
        what = _RECORDS.get(kind, f"records of the unknown type {kind}")
        raise DataError(f"it has {what}: pvperf does not read them")


def refuse_feature(bit: int) -> None:
    """DataError if the feature says of the samples what is not understood."""
    if bit in _FEATURES or not 1 <= bit < _FEATURES_KNOWN:
        what = _FEATURES.get(bit, f"samples with the unknown feature {bit}")
        raise DataError(f"it has {what}: pvperf does not read them")


def refuse_magic(data: bytes) -> None:
    """DataError for a file that begins with another magic than layout.MAGIC. `data` is its first bytes."""
    magic = data[: len(layout.MAGIC)]
    if magic == layout.MAGIC_SWAPPED:
        raise DataError("it was recorded on a machine with the other byte order, which pvperf does not read")
    if magic == layout.MAGIC_FIRST:
        raise DataError("it has perf's first format (PERFFILE), which pvperf does not read")
    if not magic or magic != layout.MAGIC[: len(magic)]:
        raise DataError("it is no perf.data file")


def refuse_header(size: int) -> None:
    """DataError for a header that is not `layout.HEADER` long."""
    if size == layout.PIPE_HEADER_BYTES:
        raise DataError("it is in perf's pipe mode (perf record -o -), which pvperf does not read: record with -o FILE")
    if size != layout.HEADER.size:
        raise DataError(f"it is damaged: its header says that it is {size} bytes long")
