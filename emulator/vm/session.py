# SPDX-License-Identifier: GPL-2.0-only
"""One boot of a VM as the front end lives through it: starts the host process, listens, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Callable

from emulator import errors
from emulator.errors import HostDied, HostError, PvperfError, explain
from emulator.vm import shm
from emulator.vm.host_process import HostProcess
from emulator.vm.keyboard import Keyboard
from emulator.vm.process import describe_exit
from emulator.vm.protocol import (
    Channel,
    Console,
    Counted,
    Ended,
    Entered,
    Failed,
    Finish,
    Kill,
    Launch,
    Message,
    Samples,
    Started,
    Taken,
    Trace,
    Typed,
)

# How long a VM may take to its guest's first entry, seconds, for itself and for each of its vCPUs, on a machine that
# has other things to do.
_BOOT_SECONDS = 60.0
_BOOT_SECONDS_PER_VCPU = 5.0
# How long the host may take to collect the counts and end, after that to end at all, and then to leave, seconds.
_FINISH_SECONDS = 3.0
_KILL_SECONDS = 2.0
_LEAVE_SECONDS = 2.0
_MOST_POLL_MS = 86_400_000  # poll() takes an int; who is woken too soon looks at the clock

#: What the socket `wake` brings if somebody wants an end; anything else only wakes.
STOP = b"s"

_HELD_BACK = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Session:
    """The host process of one run, and all that hangs on it."""

    def __init__(
        self,
        *,
        wake: socket.socket,
        console: Callable[[bytes], None],
        samples: Callable[[int, bytes], None] | None = None,
        trace: Callable[[Trace], None] | None = None,
        counted: Callable[[Counted], None] | None = None,
        keyboard: Keyboard | None = None,
    ) -> None:
        """`wake` becomes readable when the user wants an end.

        `console` gets what the guest writes, `samples` a vCPU and what it has recorded, `trace` the rounds of a trace,
        `counted` what has been counted. `keyboard` has what is typed; its wake() makes `wake` readable, with what means
        no end.
        """
        self._wake = wake
        self._console = console
        self._samples = samples
        self._trace = trace
        self._counted = counted
        self._keyboard = keyboard
        self._late = "timeout"  # what it means that the deadline has come
        self._timeout: float | None = None
        self._booted = False
        self._typing = -1  # the descriptor that is polled for what is typed
        self._why = ""  # why the run was asked to end: "stopped" or "timeout"
        self._killing = False
        self._deadline: float | None = None  # of what is waited for now, time.monotonic()
        self._outcome: Ended | Failed | None = None
        self._segment = shm.choose_name()
        self.processes: dict[str, int] = {}

    def run(self, launch: Launch, *, timeout: float | None) -> tuple[Ended, str]:
        """Runs the VM to its end: what the host reports, and why the end was asked for, if it was.

        `launch` needs no front_pid, segment and channel. `timeout` begins at the guest's first entry; with one, the
        boot before that is bounded, too. Whatever is raised, no process and no segment is left.
        """
        self._timeout = timeout
        if timeout is not None:
            self._deadline = time.monotonic() + _BOOT_SECONDS + _BOOT_SECONDS_PER_VCPU * launch.vcpus
        near, far = socket.socketpair()
        self._channel = Channel(near)
        launch = launch._replace(front_pid=os.getpid(), segment=self._segment, channel=far.fileno())
        initrds = launch.linux.initrds if launch.linux else ()
        self._process = HostProcess(launch, (launch.channel, launch.guest, *initrds))
        try:
            try:
                self._start(far)
                self._listen()
                self._settle()
            except BaseException:
                self._abort()
                raise
            return self._judge(), self._why
        finally:
            near.close()
            with contextlib.suppress(ValueError):  # interrupted twice: it is killed, and not yet reaped
                self._process.close()

    def _start(self, far: socket.socket) -> None:
        """The host starts with signals held back, so that a Ctrl-C meant for the front end does not end it."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)
        try:
            self._process.start()
        except BrokenPipeError:
            raise HostDied("the host process died while it was started") from None
        except OSError as error:
            raise HostError(f"cannot start the host process: {explain(error)}") from None
        except AssertionError as error:  # of multiprocess: this process is a daemon of its own
            raise HostError(f"cannot start the host process: {error}") from None
        finally:
            far.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self.processes = {"host": self._process.pid}

    def _listen(self) -> None:
        """Until the host has told the outcome or is gone."""
        gone = self._process.pidfd
        poller = select.poll()
        for fd in (gone, self._channel.fileno(), self._wake.fileno()):
            poller.register(fd, select.POLLIN)
        while self._outcome is None:
            typing = self._watch_keyboard(poller)
            ready = [fd for fd, _ in poller.poll(self._patience_ms())]
            if gone in ready:
                self._hear(self._channel.drain())
                return
            if self._wake.fileno() in ready and STOP in self._wake.recv(1 << 12):
                self._ask_to_finish("stopped")
            if typing in ready and self._keyboard:
                self._keyboard.read()
            self._send_typed()
            if self._channel.fileno() in ready:
                self._receive(poller)
            self._check_deadline()

    def _watch_keyboard(self, poller: select.poll) -> int:
        """The descriptor that is polled for what is typed; -1: none."""
        wanted = self._keyboard.descriptor if self._keyboard and self._booted and not self._why else -1
        if wanted != self._typing:
            if self._typing >= 0:
                poller.unregister(self._typing)
            if wanted >= 0:
                poller.register(wanted, select.POLLIN)
            self._typing = wanted
        return wanted

    def _send_typed(self) -> None:
        if self._keyboard and (data := self._keyboard.take()):
            with contextlib.suppress(ConnectionError):  # the host is gone: that is about to be seen
                self._channel.send(Typed(data))

    def _receive(self, poller: select.poll) -> None:
        try:
            self._hear(self._channel.receive())
        except EOFError:
            poller.unregister(self._channel.fileno())  # the host is about to be gone

    def _hear(self, messages: list[Message]) -> None:
        for message in messages:
            if isinstance(message, Console):
                self._console(message.data)
            elif isinstance(message, Taken):
                if self._keyboard:
                    self._keyboard.taken(message.typed_bytes)
            elif isinstance(message, Trace):
                self._pass_trace(message)
            elif isinstance(message, Samples):
                if self._samples:
                    self._samples(*message)
            elif isinstance(message, Counted):
                if self._counted:
                    self._counted(message)
            elif isinstance(message, Entered):
                self._entered()
            elif isinstance(message, Started):
                self.processes |= {f"vcpu{index}": pid for index, pid in enumerate(message.pids)}
            elif isinstance(message, Ended | Failed):
                self._outcome = message

    def _entered(self) -> None:
        self._booted = True
        if self._timeout is not None and not self._why:
            self._deadline = time.monotonic() + self._timeout

    def _pass_trace(self, trace: Trace) -> None:
        """What is done with a trace takes its time, which is not the host's to answer in."""
        if not self._trace:
            return
        began = time.monotonic()
        self._trace(trace)
        if self._why and self._deadline is not None:
            self._deadline += time.monotonic() - began

    def _patience_ms(self) -> float | None:
        if self._deadline is None:
            return None
        return min(max(0.0, self._deadline - time.monotonic()) * 1000 + 1, _MOST_POLL_MS)

    def _check_deadline(self) -> None:
        if self._outcome is not None or self._deadline is None or time.monotonic() < self._deadline:
            return
        if not self._booted and not self._why:
            raise HostError("the VM does not get to its guest's first instruction, and was killed")
        if not self._why:
            self._ask_to_finish(self._late)
        elif not self._killing:
            self._killing = True
            self._say(Kill(), _KILL_SECONDS)
        else:
            raise HostError("the host process does not answer, and was killed")

    def end_within(self, seconds: float, why: str) -> None:
        """Asks for the end then, unless it comes earlier, for a reason of its own. For who is called with output."""
        deadline = time.monotonic() + seconds
        if not self._why and (self._deadline is None or deadline < self._deadline):
            self._deadline, self._late = deadline, why

    def _ask_to_finish(self, why: str) -> None:
        if not self._why:
            self._why = why
            self._say(Finish(), _FINISH_SECONDS)

    def _say(self, message: Message, patience: float) -> None:
        self._deadline = time.monotonic() + patience
        with contextlib.suppress(ConnectionError):  # the host is gone: that is about to be seen
            self._channel.send(message)

    def _settle(self) -> None:
        """Sees to it that the host and its vCPUs are gone, as they are in good order after an outcome."""
        if self._outcome is None or not self._wait_gone():
            self._abort()
        else:
            self._process.join()

    def _abort(self) -> None:
        """Ends everything by force: the kernel kills the vCPUs with the host. Safe at any moment."""
        if self._process.pid is None:
            return
        self._process.kill()
        self._process.join()
        shm.remove_name(self._segment)
        self._wait_gone()

    def _wait_gone(self) -> bool:
        """Waits until the host and every process that it forked have left."""
        poller = select.poll()
        poller.register(self._process.sentinel, select.POLLIN)
        return bool(poller.poll(_LEAVE_SECONDS * 1000))

    def _judge(self) -> Ended:
        if isinstance(self._outcome, Ended):
            return self._outcome
        if isinstance(self._outcome, Failed):
            kind = getattr(errors, self._outcome.kind, HostError)
            assert issubclass(kind, PvperfError)
            raise kind(self._outcome.text)
        status = self._process.exitcode
        raise HostDied(f"the host process {describe_exit(status)}")
