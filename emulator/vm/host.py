# SPDX-License-Identifier: GPL-2.0-only
"""The host process: builds the VM, forks its vCPUs, and watches over both until the VM has ended.

Exits are served by the core's native threads; this is the thread that waits for what happens beside them: console
output, the end of the VM, the death of a vCPU, a request of the front end. The kernel ties the lives together: a
vCPU dies with the host, the host with the front end. So leaving this process, in whatever way, ends all.
"""

from __future__ import annotations

import contextlib
import errno
import math
import mmap
import os
import select
import signal
import socket
import time
from collections.abc import Iterator
from typing import Any

from emulator.errors import HostError, OutOfMemory, PvperfError, explain
from emulator.guest import boot
from emulator.guest.linux.boot import load_linux
from emulator.native import load_core, load_engine
from emulator.vm import shm, vcpu
from emulator.vm.agent_counts import AgentCounts
from emulator.vm.keyboard import Line
from emulator.vm.platform import platform_bytes
from emulator.vm.process import HOST_NAME, describe_exit, die_with_parent, fork, name_process, pss_kib
from emulator.vm.protocol import (
    Channel,
    Console,
    Ended,
    Entered,
    Failed,
    Finish,
    Kill,
    Launch,
    Samples,
    SlotSamples,
    Started,
    Taken,
    Typed,
)
from emulator.vm.rings import Rings
from emulator.vm.trace_drain import INTERVAL, Drain

# How long vCPU processes may take to leave a VM that is over, seconds; then they are killed.
_LEAVE_SECONDS = 1.0
# Console output is passed on at most this often, seconds, so that a guest that writes byte by byte costs little.
_CONSOLE_SECONDS = 0.001
_CONSOLE_BYTES = 1 << 16
# While the guest has not taken what is typed, it is looked after again so soon.
_TYPING_SECONDS = 0.005
# poll() takes an int of milliseconds; who is woken too soon looks at the clock.
_LONGEST_SECONDS = 86_400.0
# Of struct pv_run.
_ENGINE_FIGURES = (
    *("blocks_decoded", "locked_ops", "locked_trapped", "exceptions", "oracle_checks", "oracle_differences"),
    *("stores_short", "nmis", "nmis_coalesced", "agent_nmis"),
)


def main(launch: Launch) -> None:
    """The process' target: leaves the process when the VM is over and its result is sent, or the front end is gone."""
    status = 1
    try:
        # A terminal signals the whole group: what becomes of the VM is the front end's to decide.
        for ignored in (signal.SIGINT, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # or vCPUs would be reaped behind our back
        name_process(HOST_NAME)
        _serve(launch, Channel(socket.socket(fileno=launch.channel)))
        status = 0
    finally:
        os._exit(status)  # at once, whatever threads and children there may still be


def _serve(launch: Launch, channel: Channel) -> None:
    try:
        host = Host(launch, channel)
        channel.send(host.run())
    except PvperfError as error:
        channel.send(Failed(type(error).__name__, str(error)))
    except MemoryError:
        channel.send(Failed(OutOfMemory.__name__, "the host process is out of memory"))
    except (EOFError, ConnectionError):
        pass  # the front end is gone
    except OSError as error:
        channel.send(Failed(HostError.__name__, f"the host process cannot go on: {explain(error)}"))
    except Exception as error:
        channel.send(Failed(HostError.__name__, f"internal fault of the host process: {error!r}"))


class Host:
    """One VM, from its memory to its end."""

    def __init__(self, launch: Launch, channel: Channel) -> None:
        """Builds the VM. Raises PvperfError; what was begun until then ends with the process."""
        self._launch = launch
        self._channel = channel
        core = load_core()
        self._ffi, self._lib = core.ffi, core.lib
        shared = platform_bytes(self._lib, launch)
        self._ram_offset = (1 + launch.vcpus) * self._lib.PV_RUN_PAGE_SIZE + shared
        self._segment, self._reader = self._map()
        load_engine()  # once, here: the vCPU processes share its pages
        base = self._ffi.from_buffer("uint8_t[]", self._segment, require_writable=True)
        page_bytes = self._lib.PV_RUN_PAGE_SIZE
        self._page = self._ffi.cast("struct pv_vm_page *", base)
        self._runs = [
            self._ffi.cast("struct pv_run *", base + (1 + index) * page_bytes) for index in range(launch.vcpus)
        ]
        platform = self._ffi.cast("struct pv_platform *", base + self._ram_offset - shared)
        self._platform = platform if launch.linux else self._ffi.NULL
        bell = self._ffi.addressof(platform.ipi[0], "bell") if launch.linux else None
        self._line = Line(self._lib, platform, bell) if launch.linux else None
        self._memory = boot.Memory(memoryview(self._segment)[self._ram_offset :], ffi=self._ffi, lib=self._lib)
        self._boot = self._load()
        self._end = self._ffi.new("struct pv_vm_end *")
        self._console = self._ffi.new("uint8_t[]", _CONSOLE_BYTES)
        self._rings = self._find_rings()
        self._vm = self._create()
        self._drain = self._create_drain()
        self._counts = self._create_counts()
        self._gate_reader, self._gate = os.pipe()
        self._processes: list[Any] = []
        self._alive: dict[int, int] = {}  # pidfd -> vCPU

    def _map(self) -> tuple[mmap.mmap, int]:
        size = self._ram_offset + self._launch.ram_bytes
        if os.getppid() != self._launch.front_pid:
            os._exit(1)  # nobody would be left to remove the name, should this process be killed now
        try:
            mapped = shm.map_segment(self._launch.segment, size)
        except OSError as error:
            kind = OutOfMemory if error.errno in (errno.ENOMEM, errno.ENOSPC, errno.EFBIG) else HostError
            raise kind(f"no {size >> 20} MiB of shared memory for the VM: {explain(error)}") from None
        die_with_parent(self._launch.front_pid)
        return mapped

    def _load(self) -> boot.Boot:
        launch = self._launch
        what: dict[str, Any] = {"guest": launch.guest, "command_line": launch.command_line, "vcpus": launch.vcpus}
        what |= {"attrs": launch.attrs, "recording": launch.recording}
        if launch.linux:
            return load_linux(self._memory, linux=launch.linux, **what)
        assert launch.image
        return boot.load(self._memory, image=launch.image, **what)

    def _find_rings(self) -> Rings | None:
        agent = self._boot.agent
        if agent is None or not agent.rings:
            return None
        places = [
            self._memory.at(agent.rings + index * agent.ring_stride, "struct pv_sample_ring")
            for index in range(self._launch.vcpus)
        ]
        return Rings(self._ffi, self._lib, places, agent.ring_bytes, agent.events)

    def _create(self) -> Any:
        ffi, launch = self._ffi, self._launch
        config = ffi.new("struct pv_vm_config *")
        for field in (
            *("vcpus", "max_events", "counters", "rotate_us", "poll_ns", "pv_perf", "cycles_tsc"),
            *("hold_us", "max_sample_rate", "poisson", "seed", "trace_records", "trace_kinds"),
        ):
            setattr(config, field, getattr(launch, field))
        for name, permille in launch.faults:
            config.fault_permille[getattr(self._lib, name)] = permille
        names = [ffi.new("char[]", name.encode()) for name in (launch.design, launch.nmi, launch.sync)]
        config.design, config.nmi, config.sync = names
        config.pin = bool(launch.cores)
        config.ram = self._memory.base
        config.ram_size = launch.ram_bytes
        config.guest_ram_size = self._boot.ram_bytes
        config.page = self._page
        config.platform = self._platform
        config.run_pages = ffi.cast("uint8_t *", self._runs[0])
        _fill(config.boot, self._boot.entry)
        if self._boot.agent:
            _fill(config.agent_start, self._boot.agent.start)
            _fill(config.agent_finish, self._boot.agent.finish)
            config.agent_stack = self._lib.PV_AGENT_STACK_BYTES
        vm = ffi.new("struct pv_vm **")
        why = ffi.new("char[256]")
        self._check(self._lib.vm_create(config, vm, why, len(why)), "create the VM", why)
        return vm[0]

    def _create_drain(self) -> Drain | None:
        records = self._launch.trace_records
        return Drain(self._ffi, self._lib, vcpus=self._launch.vcpus, records=records) if records else None

    def _create_counts(self) -> AgentCounts | None:
        agent = self._boot.agent
        if agent is None:
            return None
        return AgentCounts(
            self._ffi,
            self._lib,
            self._vm,
            slots=self._memory.at(agent.slots, "struct pv_agent_slot"),
            vcpus=self._launch.vcpus,
            events=agent.events,
            interval_ns=self._launch.interval_ns,
        )

    def _check(self, error: int, what: str, why: Any = None) -> None:
        """Raises the error that a negative errno of the core stands for."""
        if error >= 0:
            return
        kind = OutOfMemory if error == -errno.ENOMEM else HostError
        text = self._ffi.string(why).decode(errors="replace") if why else ""
        raise kind(f"cannot {what}: {text or explain(OSError(-error, os.strerror(-error)))}")

    def run(self) -> Ended:
        """Starts the vCPUs and serves until the VM has ended and all of them are gone."""
        self._start()
        poller, entered = self._poller(), False
        while not self._has_ended():
            for fd, _ in poller.poll(self._patience_ms()):
                self._handle(fd, poller)
            if not entered and (entered := bool(self._lib.vm_entered(self._vm))):
                self._channel.send(Entered())
                if self._counts:
                    self._counts.begin()
            self._pass_samples()
            self._pass_typed()
            if self._drain and self._drain.is_due():
                self._pass_trace()
            if self._counts and (counted := self._counts.take()):
                self._channel.send(counted)
        while self._pass_console():
            pass
        memory = self._measure_memory()
        self._reap()
        while self._pass_samples():  # nobody writes any more
            pass
        while self._pass_trace():
            pass
        ended = self._report(memory)
        self._check(self._lib.vm_destroy(self._vm), "take down the VM")
        return ended

    def _start(self) -> None:
        """Forks while there is one thread, then starts the core's. SIGTERM is held back until it can end the VM."""
        signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
        host = os.getpid()
        for index in range(self._launch.vcpus):
            not_mine = (self._launch.channel, self._gate)
            segment = (self._segment, self._reader)
            args = (index, self._launch, segment, host, not_mine, self._gate_reader, self._boot)
            process, pidfd = fork(vcpu.main, args)
            self._processes.append(process)
            self._alive[pidfd] = index
        os.close(self._gate_reader)
        os.close(self._reader)
        signal.signal(signal.SIGTERM, lambda *_: self._lib.vm_finish(self._vm))
        self._check(self._lib.vm_start(self._vm), "start the VM")
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGINT))
        self._channel.send(Started(tuple(process.pid for process in self._processes)))

    def _poller(self) -> select.poll:
        poller = select.poll()
        for fd in (self._lib.vm_event_fd(self._vm), self._channel.fileno(), *self._alive):
            poller.register(fd, select.POLLIN)
        return poller

    def _handle(self, fd: int, poller: select.poll) -> None:
        if fd in self._alive:
            poller.unregister(fd)
            self._bury(self._alive.pop(fd))
            os.close(fd)
        elif fd == self._channel.fileno():
            self._obey()
        elif self._pass_console():
            time.sleep(_CONSOLE_SECONDS)

    def _obey(self) -> None:
        for message in self._channel.receive():
            if isinstance(message, Finish):
                self._lib.vm_finish(self._vm)
            elif isinstance(message, Kill):
                self._kill("PV_END_STOPPED")
            elif isinstance(message, Typed) and self._line:
                self._line.add(message.data)

    def _bury(self, index: int) -> None:
        """A vCPU process is gone before the VM was over: that ends the VM."""
        status = self._processes[index].exitcode
        said = self._said(self._runs[index])
        if status == vcpu.ENGINE_FAILED and said:
            self._kill("PV_END_ENGINE_ERROR", index, said)
            return
        self._kill("PV_END_VCPU_DIED", index, describe_exit(status))

    def _kill(self, reason: str, index: int = -1, text: str = "") -> None:
        self._lib.vm_kill(self._vm, getattr(self._lib, reason), index, 0, text.encode())

    def _has_ended(self) -> bool:
        self._lib.vm_end(self._vm, self._end)
        return bool(self._end.reason != self._lib.PV_END_NONE)

    def _pass_console(self) -> bool:
        """Sends some of what the guest has written; False if there is nothing."""
        length = self._lib.vm_console_read(self._vm, self._console, _CONSOLE_BYTES)
        if length:
            self._channel.send(Console(bytes(self._ffi.buffer(self._console, length))))
        return bool(length)

    def _patience_ms(self) -> float | None:
        """How long to wait for something to happen before rings or counts want a look; None: they do not."""
        intervals = [self._rings.interval] if self._rings else []
        if self._drain:
            intervals.append(INTERVAL)
        if self._line and self._line.busy:
            intervals.append(_TYPING_SECONDS)
        if self._counts and (patience := self._counts.patience()) < math.inf:
            intervals.append(min(patience, _LONGEST_SECONDS) + 0.0005)
        return min(intervals) * 1000 if intervals else None

    def _pass_typed(self) -> None:
        if self._line and (count := self._line.pour()):
            self._channel.send(Taken(count))

    def _pass_samples(self) -> bool:
        """Sends what has come into the rings; False if there is nothing."""
        return bool(self._rings and self._rings.drain(lambda vcpu, data: self._channel.send(Samples(vcpu, data))))

    def _pass_trace(self) -> bool:
        """Sends what is in the rings of the trace; False if there was nothing."""
        if not self._drain:
            return False
        trace = self._drain.round(self._vm)
        self._channel.send(trace)
        return bool(trace.parts)

    def _measure_memory(self) -> dict[str, int]:
        """While the vCPU processes wait at the gate."""
        if not self._launch.measure_memory:
            return {}
        sizes = {"host": pss_kib(os.getpid())}
        for index in self._alive.values():
            with contextlib.suppress(OSError):  # killed in the meantime
                sizes[f"vcpu{index}"] = pss_kib(self._processes[index].pid)
        return sizes

    def _reap(self) -> None:
        """Lets the vCPU processes go, kills who does not, and waits until none is left. After a death or a panic
        nobody has anything left to tell, and one that has only just been started would take its time."""
        os.close(self._gate)
        broken = self._end.reason in (self._lib.PV_END_VCPU_DIED, self._lib.PV_END_HOST_PANIC)
        deadline = time.monotonic() + (0.0 if broken else _LEAVE_SECONDS)
        poller = select.poll()
        for fd in self._alive:
            poller.register(fd, select.POLLIN)
        left = set(self._alive)
        while left and (wait := deadline - time.monotonic()) > 0:
            for fd, _ in poller.poll(wait * 1000):
                poller.unregister(fd)
                left.discard(fd)
        for process in self._processes:
            process.kill()
            process.join()

    def _report(self, memory: dict[str, int]) -> Ended:
        end = self._end
        statistics = self._statistics()
        return Ended(
            reason=self._ffi.typeof("enum pv_end_reason").elements[end.reason].removeprefix("PV_END_").lower(),
            status=end.status,
            vcpu=end.vcpu,
            error=end.error,
            text=self._ffi.string(end.text).decode(errors="replace") or self._oracle_said(),
            counts=tuple(self._counts.final()) if self._counts else (),
            statistics=statistics,
            pss_kib=memory,
            elapsed_s=statistics["guest_ns"] * 1e-9,
            sampled=tuple(self._sampled()),
            ring_lost=self._rings.lost() if self._rings else (),
        )

    def _oracle_said(self) -> str:
        """Where a count first differed from the oracle's, if one did."""
        said = [self._said(run) for run in self._runs if run.oracle_differences] if self._launch.oracle else []
        return said[0] if said else ""

    def _said(self, run: Any) -> str:
        """The text in a run page, which is its vCPU process' word: one line that no terminal obeys."""
        text: str = self._ffi.string(run.text).decode(errors="replace")
        return "".join(c if c.isprintable() else "?" for c in text)

    def _sampled(self) -> Iterator[SlotSamples]:
        agent = self._boot.agent
        if agent is None or self._rings is None:
            return
        slots = self._memory.at(agent.slots, "struct pv_agent_slot")
        for index in range(self._launch.vcpus):
            for event in range(agent.events):
                slot = slots[index * agent.events + event]
                yield SlotSamples(index, event, slot.taken, slot.left, slot.samples)

    def _statistics(self) -> dict[str, int]:
        """struct pv_vm_statistics, arrays by the names of what they count, and the sums of the engines' figures."""
        ffi = self._ffi
        statistics = ffi.new("struct pv_vm_statistics *")
        self._lib.vm_statistics(self._vm, statistics)
        figures: dict[str, int] = {}
        for field, _ in ffi.typeof("struct pv_vm_statistics").fields:
            value = getattr(statistics, field)
            if isinstance(value, int):
                figures[field] = value
        for field, enum, prefix in (
            ("exits", "enum pv_exit_reason", "PV_EXIT_"),
            ("hypercalls", "enum kvm_pv_perf_op", "KVM_PV_PERF_OP_"),
        ):
            array = getattr(statistics, field)
            for number, name in ffi.typeof(enum).elements.items():
                if 0 < number < len(array):
                    figures[f"{field}_{name.removeprefix(prefix).lower()}"] = array[number]
        figures["hypercalls_unknown"] = statistics.hypercalls[0]
        for field in _ENGINE_FIGURES:
            figures[field] = sum(getattr(run, field) for run in self._runs)
        if not self._launch.oracle:
            figures["oracle_checks"] = figures["oracle_differences"] = 0
        return figures


def _fill(target: Any, jump: boot.Jump) -> None:
    for field, value in jump._asdict().items():
        setattr(target, field, value)
