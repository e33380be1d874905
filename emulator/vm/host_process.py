# SPDX-License-Identifier: GPL-2.0-only
"""The host process as the front end starts it: a fresh interpreter, without what it does not need.

It comes from `multiprocess`. Its usual way to spawn would also start a resource tracker, import dill, and run the
user's script again; `HostPopen` leaves these out.
"""

from __future__ import annotations

import io
import os
import pickle
import signal
import socket
from typing import Any

from multiprocess import context, popen_spawn_posix, process, spawn, util

from emulator.errors import Unsupported, missing
from emulator.places import START, module_path
from emulator.vm.process import HOST_NAME
from emulator.vm.protocol import Channel, Failed, Launch


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
