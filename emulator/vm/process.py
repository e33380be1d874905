# SPDX-License-Identifier: GPL-2.0-only
"""How the VM's processes are started, named, watched, and tied to each other's life.

Processes come from `multiprocess`. Its usual way to spawn would also start a resource tracker, import dill, and run
the user's script again; a host process needs none of these, so `HostPopen` leaves them out.
"""

from __future__ import annotations

import ctypes
import io
import os
import pickle
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from multiprocess import context, popen_spawn_posix, process, spawn, util

from emulator.errors import Unsupported, missing
from emulator.places import START, module_path
from emulator.vm.protocol import Channel, Failed, Launch

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
HOST_NAME = "pvperf:host"
_ENDING = (signal.SIGTERM, signal.SIGHUP)


class HostPopen(popen_spawn_posix.Popen):  # type: ignore[misc]
    """Starts a fresh interpreter that inherits `HostProcess.descriptors` and unpickles the process object."""

    def _launch(self, process_obj: HostProcess) -> None:
        data = io.BytesIO()
        context.set_spawning_popen(self)
        try:
            pickle.dump(_preparation(process_obj.name), data)
            pickle.dump(process_obj, data)
        finally:
            context.set_spawning_popen(None)
        ours: list[int] = []
        theirs: list[int] = []
        self.finalizer = util.Finalize(self, util.close_fds, ours)
        try:
            self.sentinel = _pipe(theirs, ours)[0]  # readable once the host and all that it forked are gone
            child_input, parent_end = _pipe(ours, theirs)
            self._start(child_input, [*process_obj.descriptors, *theirs])
        finally:
            util.close_fds(*theirs)
        try:
            self.pidfd = os.pidfd_open(self.pid)
            ours.append(self.pidfd)
            with open(parent_end, "wb", closefd=False) as stream:
                stream.write(data.getbuffer())
        except BaseException:  # the child is gone, or this thread was interrupted: nobody else knows of the child
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            raise

    def _start(self, child_input: int, descriptors: list[int]) -> None:
        """Without site: start.py gets a path to import from, and HOST_NAME is for who looks with ps."""
        command = [spawn.get_executable(), *util._args_from_interpreter_flags(), "-P", "-S", START]
        command += ["--multiprocessing-fork", str(child_input), HOST_NAME, *module_path()]
        self.pid = util.spawnv_passfds(spawn.get_executable(), command, descriptors)


def _pipe(writers: list[int], readers: list[int]) -> tuple[int, int]:
    """The reading and the writing end of a new pipe, each added to the descriptors of its owner."""
    reader, writer = os.pipe()
    readers.append(reader)
    writers.append(writer)
    return reader, writer


def _preparation(name: str) -> dict[str, Any]:
    """What multiprocess' spawn needs to know of this process; nothing of its main module."""
    return {
        "name": name,
        "authkey": process.current_process().authkey,
        "orig_dir": process.ORIGINAL_DIR,
    }


class HostProcess(context.SpawnProcess):  # type: ignore[misc]
    """The host process of a VM, spawned with `descriptors` open under the same numbers."""

    def __init__(self, launch: Launch, descriptors: tuple[int, ...]) -> None:
        super().__init__(name=HOST_NAME)
        self.launch = launch
        self.descriptors = descriptors

    def run(self) -> None:
        """In the new process alone, as is the import."""
        try:
            from emulator.vm import host
        except ImportError as error:
            failed = Failed(Unsupported.__name__, missing(error))
            Channel(socket.socket(fileno=self.launch.channel)).send(failed)
            os._exit(0)
        host.main(self.launch)

    @property
    def pidfd(self) -> int:
        """Readable once the process is gone; closed with it."""
        return int(self._popen.pidfd)

    @staticmethod
    def _Popen(process_obj: HostProcess) -> HostPopen:
        return HostPopen(process_obj)


def fork(target: Callable[..., None], args: tuple[Any, ...]) -> tuple[Any, int]:
    """A multiprocess.Process that is a fork of this one, which must have a single thread; and its pidfd.

    The pidfd is opened here because starting the next process reaps those that have died.
    """
    child = context.ForkProcess(target=target, args=args)
    child.start()
    return child, os.pidfd_open(child.pid)


def fork_worker(target: Callable[..., None], args: tuple[Any, ...]) -> Any:
    """A multiprocess.Process that is a fork of this one and ends with it, however that imports its modules.

    Ctrl-C is for the process that waits; what else ends a command ends a worker without a word, at any moment.
    """
    child = context.ForkProcess(target=_work, args=(target, args), daemon=True)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, *_ENDING))
    try:
        child.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return child


def _work(target: Callable[..., None], args: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for signum in _ENDING:
        signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, *_ENDING))
    sys.path[:] = module_path()
    target(*args)


def die_with_parent(parent: int) -> None:
    """Has the kernel kill this process the moment its parent dies; leaves at once if that has happened already."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os._exit(0)


def name_process(name: str) -> None:
    """Sets what `ps` shows as the command; at most 15 bytes are kept."""
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)  # without /proc, which may not be there


# What else than a fault of its own ends a process so.
_HINTS = {
    signal.SIGBUS: " (is /dev/shm full?)",
    signal.SIGKILL: " (by somebody; or the machine or the container has no memory left, or ulimit -t was reached)",
    signal.SIGXCPU: " (ulimit -t was reached)",
}


def describe_exit(status: int | None) -> str:
    """How a process ended, by multiprocess' exit code; None: somebody else has reaped it."""
    if status is None:
        return "is gone"
    if status >= 0:
        return f"left with exit status {status}"
    return f"was killed by {signal.Signals(-status).name}{_HINTS.get(signal.Signals(-status), '')}"


def pss_kib(pid: int) -> int:
    """Proportional set size of a process: its own memory, and its share of what it shares, KiB."""
    with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
        for line in file:
            if line.startswith(b"Pss:"):
                return int(line.split()[1])
    return 0
