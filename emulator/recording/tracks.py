# SPDX-License-Identifier: GPL-2.0-only
"""Draws a VM's records as tracks of a Perfetto trace.

Each vCPU is a thread of the process "VM GUEST": slices say where it is (guest mode, or an exit by its reason, with
the hypercall and the sync in it), instants what comes to pass meanwhile. Below it are who holds its event_mutex, its
overflow backlog (raised and not yet delivered) and its NMI misses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from emulator.native import load_core
from emulator.recording.perfetto import TraceWriter
from emulator.vm.trace_records import Record


@cache
def _names(enum: str, prefix: str) -> dict[int, str]:
    elements = load_core().ffi.typeof(enum).elements
    return {number: name.removeprefix(prefix) for number, name in elements.items()}


def _exit_name(reason: int) -> str:
    return _names("enum pv_exit_reason", "PV_EXIT_").get(reason, "unknown").lower()


@cache
def _hypercalls() -> dict[tuple[int, int | None], str]:
    """Names by number and, of KVM_PERF_OP, op."""
    lib = load_core().lib
    known: dict[tuple[int, int | None], str] = {
        (lib.KVM_HC_KICK_CPU, None): "KICK_CPU",
        (lib.PV_HC_AGENT_DONE, None): "agent done",
    }
    ops = _names("enum kvm_pv_perf_op", "KVM_PV_PERF_OP_")
    return known | {(lib.KVM_PERF_OP, op): name for op, name in ops.items() if op < lib.KVM_PV_PERF_OP_MAX}


def _hypercall_name(number: int, op: int) -> str:
    """A guest may try any number: what is not known has one name."""
    known = _hypercalls()
    return known.get((number, op)) or known.get((number, None)) or "unknown hypercall"


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


class _Vcpu:
    """The tracks of one vCPU, and how they stand."""

    def __init__(self, writer: TraceWriter, index: int, pid: int, tid: int) -> None:
        self.thread = writer.thread(f"vCPU {index}", pid, tid)
        self.lock = writer.lane("event_mutex", self.thread)
        self.backlog = writer.counter("overflow backlog", self.thread, "overflows")
        self.misses = writer.counter("NMI misses", self.thread, "NMIs")
        self.open: list[str] = []  # slices on the thread's track, by what can end them
        self.holder: int | None = None  # ring of the slice on the lock's track
        self.backlog_value = 0
        self.misses_value = 0


class Tracks:
    """One boot of a VM. Feed it its records in order of time."""

    def __init__(self, writer: TraceWriter, *, vcpus: int, processes: Mapping[str, int]) -> None:
        """`processes`: pids of "host", "vcpu0", ..., which become the process and its threads."""
        self._writer = writer
        pid = processes.get("host", 1)
        writer.process("VM GUEST", pid)
        self._vcpus = [_Vcpu(writer, index, pid, processes.get(f"vcpu{index}", index + 2)) for index in range(vcpus)]
        self._doing: dict[int, str] = {}  # ring -> the hypercall that its thread serves
        self._last_ns = 0

    def feed(self, records: Iterable[Record]) -> None:
        """Draws more records."""
        for record in records:
            self._last_ns = max(self._last_ns, record.time_ns)
            _DRAW[record.kind](self, record, self._vcpus[record.vcpu])

    def finish(self) -> None:
        """No more records come: what is open ends where they end."""
        for vcpu in self._vcpus:
            self._end_all(vcpu, self._last_ns)
            self._release(vcpu, self._last_ns)

    def _who(self, ring: int) -> str:
        names = ("timer", "API")
        return f"vCPU {ring}" if ring < len(self._vcpus) else names[ring - len(self._vcpus)]

    def _begin(self, vcpu: _Vcpu, what: str, name: str, time_ns: int, arguments: Mapping[str, int | str]) -> None:
        vcpu.open.append(what)
        self._writer.begin(vcpu.thread, name, time_ns, arguments)

    def _end(self, vcpu: _Vcpu, what: str, time_ns: int, arguments: Mapping[str, int | str]) -> None:
        """Ends a slice, unless its begin was lost."""
        if vcpu.open and vcpu.open[-1] == what:
            vcpu.open.pop()
            self._writer.end(vcpu.thread, time_ns, arguments)

    def _end_all(self, vcpu: _Vcpu, time_ns: int) -> None:
        while vcpu.open:
            vcpu.open.pop()
            self._writer.end(vcpu.thread, time_ns)

    def _hold(self, vcpu: _Vcpu, ring: int, name: str, time_ns: int) -> None:
        self._release(vcpu, time_ns)
        vcpu.holder = ring
        self._writer.begin(vcpu.lock, name, time_ns)

    def _release(self, vcpu: _Vcpu, time_ns: int) -> None:
        if vcpu.holder is not None:
            vcpu.holder = None
            self._writer.end(vcpu.lock, time_ns)

    def _add_backlog(self, vcpu: _Vcpu, change: int, time_ns: int) -> None:
        if change:
            vcpu.backlog_value += change
            self._writer.value(vcpu.backlog, time_ns, vcpu.backlog_value)

    # One for each kind of record.

    def _lost(self, record: Record, _: _Vcpu) -> None:
        """What is not known to go on ends here."""
        self._doing.pop(record.ring, None)
        for index, vcpu in enumerate(self._vcpus):
            if index == record.ring:
                self._end_all(vcpu, record.time_ns)
                self._writer.instant(vcpu.thread, "records lost", record.time_ns, {"records": record.a})
            if vcpu.holder == record.ring:
                self._release(vcpu, record.time_ns)

    def _exit(self, record: Record, vcpu: _Vcpu) -> None:
        self._end_all(vcpu, record.time_ns)
        self._begin(vcpu, "exit", f"exit: {_exit_name(record.a)}", record.time_ns, {"rip": f"{record.b:#x}"})

    def _entry(self, record: Record, vcpu: _Vcpu) -> None:
        self._end_all(vcpu, record.time_ns)
        if record.a:
            self._inject(record, vcpu)
        self._begin(vcpu, "mode", "agent" if record.b else "guest", record.time_ns, {})

    def _inject(self, record: Record, vcpu: _Vcpu) -> None:
        lib = load_core().lib
        for bit, name in ((lib.PV_INJECT_NMI, "inject NMI"), (lib.PV_INJECT_AGENT_NMI, "inject agent NMI")):
            if record.a & bit:
                self._writer.instant(vcpu.thread, name, record.time_ns)

    def _stop(self, record: Record, vcpu: _Vcpu) -> None:
        self._end_all(vcpu, record.time_ns)

    def _hypercall(self, record: Record, vcpu: _Vcpu) -> None:
        name = self._doing[record.ring] = _hypercall_name(record.a, record.b)
        arguments = {"rax": _signed(record.a), "rbx": _signed(record.b), "rcx": record.id}
        self._begin(vcpu, "hypercall", name, record.time_ns, arguments)

    def _result(self, record: Record, vcpu: _Vcpu) -> None:
        self._doing.pop(record.ring, None)
        self._end(vcpu, "hypercall", record.time_ns, {"result": _signed(record.a)})

    def _attach(self, record: Record, vcpu: _Vcpu) -> None:
        self._add_backlog(vcpu, record.a, record.time_ns)
        self._instant("attach", record, vcpu)

    def _detach(self, record: Record, vcpu: _Vcpu) -> None:
        self._add_backlog(vcpu, -record.a, record.time_ns)
        self._instant("detach", record, vcpu)

    def _raise(self, record: Record, vcpu: _Vcpu) -> None:
        self._add_backlog(vcpu, record.a, record.time_ns)

    def _nmi(self, record: Record, vcpu: _Vcpu) -> None:
        self._instant("NMI", record, vcpu, {"overflows": record.a})

    def _miss(self, record: Record, vcpu: _Vcpu) -> None:
        vcpu.misses_value += 1
        self._writer.value(vcpu.misses, record.time_ns, vcpu.misses_value)
        self._instant("NMI miss", record, vcpu)

    def _sync(self, record: Record, vcpu: _Vcpu) -> None:
        self._begin(vcpu, "sync", "sync", record.time_ns, {"queued": record.a})
        self._hold(vcpu, record.ring, f"{self._who(record.ring)}: sync", record.time_ns)

    def _deliver(self, record: Record, vcpu: _Vcpu) -> None:
        self._add_backlog(vcpu, -record.a, record.time_ns)

    def _synced(self, record: Record, vcpu: _Vcpu) -> None:
        self._release(vcpu, record.time_ns)
        self._end(vcpu, "sync", record.time_ns, {"delivered": record.a})

    def _finish(self, record: Record, vcpu: _Vcpu) -> None:
        self._instant("disabled", record, vcpu, {"delivered": record.a})

    def _close(self, record: Record, vcpu: _Vcpu) -> None:
        self._instant("close", record, vcpu, {"dropped": record.a})

    def _held(self, record: Record, vcpu: _Vcpu) -> None:
        doing = self._doing.get(record.ring, "operation")
        self._hold(vcpu, record.ring, f"{self._who(record.ring)}: {doing}", record.time_ns)

    def _released(self, record: Record, vcpu: _Vcpu) -> None:
        self._release(vcpu, record.time_ns)

    def _kick(self, record: Record, vcpu: _Vcpu) -> None:
        self._writer.instant(vcpu.thread, "kick", record.time_ns, {"by": self._who(record.ring)})

    def _instant(self, name: str, record: Record, vcpu: _Vcpu, more: Mapping[str, int] | None = None) -> None:
        self._writer.instant(vcpu.thread, name, record.time_ns, {"id": record.id, **(more or {})})

    def _named(self, record: Record, vcpu: _Vcpu) -> None:
        """Of its kind, nothing but the event is of interest."""
        self._instant(record.kind, record, vcpu)


_DRAW = {
    "lost": Tracks._lost,
    "exit": Tracks._exit,
    "entry": Tracks._entry,
    "stop": Tracks._stop,
    "hypercall": Tracks._hypercall,
    "result": Tracks._result,
    "open": Tracks._named,
    "close": Tracks._close,
    "attach": Tracks._attach,
    "detach": Tracks._detach,
    "raise": Tracks._raise,
    "nmi": Tracks._nmi,
    "miss": Tracks._miss,
    "defer": Tracks._named,
    "sync": Tracks._sync,
    "deliver": Tracks._deliver,
    "failed": Tracks._named,
    "synced": Tracks._synced,
    "finish": Tracks._finish,
    "hold": Tracks._held,
    "release": Tracks._released,
    "throttle": Tracks._named,
    "unthrottle": Tracks._named,
    "kick": Tracks._kick,
}
