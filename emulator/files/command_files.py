# SPDX-License-Identifier: GPL-2.0-only
"""The files of one command: its inputs, and its outputs, which come to be together."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from emulator.errors import UsageError
from emulator.files.output import Output
from emulator.files.target import Identity, Target, find_target, identity_of

_INPUT, _OUTPUT, _STREAM = "input", "output", "stream"
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Files:
    """Use it in a `with` statement: at its end, what outputs were given is written, whatever ends it."""

    def __init__(self) -> None:
        self._known: dict[Identity, tuple[str, str]] = {}  # what has it, and under which name
        self._outputs: list[Output] = []
        self._descriptors: set[int] = set()
        for number, name in ((1, "stdout"), (2, "stderr")):
            if status := _status(number):
                self._known.setdefault(identity_of(status) or (-1, -1, name), (_STREAM, name))

    def reads(self, *names: str | os.PathLike[str]) -> None:
        """These are inputs; -: stdin. UsageError if an output is one of them."""
        for each in names:
            name = os.fspath(each)
            status = _status(0 if name == "-" else name)
            if status and (identity := identity_of(status)):
                self._claim(identity, _INPUT, "stdin" if name == "-" else name)

    def output(
        self, name: str | None, *, append: bool = False, keep_old: bool = False, regular: bool = False
    ) -> Output:
        """A file that appears at the end; -: stdout; None: stderr. PvperfError if that cannot be.

        With `keep_old`, what is replaced becomes `name`.old; with `regular`, it can only be a file.
        """
        target = Target("stderr", fd=2) if name is None else self.writes(name, regular=regular, keep_old=keep_old)
        output = Output(target, append=append, keep_old=keep_old)
        self._outputs.append(output)
        return output

    def writes(self, name: str, *, regular: bool = False, keep_old: bool = False) -> Target:
        """The same for what a caller writes by itself. Nothing is written here."""
        target = find_target(name, regular=regular)
        if target.fd in self._descriptors:
            raise UsageError(_clash(_OUTPUT, target.name, _OUTPUT, target.name))
        self._descriptors |= {target.fd} if target.fd is not None else set()
        old = find_target(f"{target.path}.old", regular=True) if keep_old and target.path else None
        if not target.exists:
            target.check()  # or there is no directory, and nothing to tell it by
        for each in filter(None, (target, old)):
            self._claim_output(each)
        target.check()
        return target

    def _claim_output(self, target: Target) -> None:
        identity = target.identity()
        if not identity:
            return
        shares = target.fd is not None  # of stdout's file, what goes to stdout, too, is a part
        if not (shares and self._known.get(identity, ("",))[0] == _STREAM):
            self._claim(identity, _OUTPUT, target.name)

    def _claim(self, identity: Identity, role: str, name: str) -> None:
        known = self._known.get(identity)
        if known is None:
            self._known[identity] = role, name
        elif not role == known[0] == _INPUT:
            raise UsageError(_clash(role, name, *known))

    def __enter__(self) -> Files:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.commit()

    def commit(self) -> None:
        """Writes all that outputs were given, or none of their files. HostError."""
        try:
            for output in self._outputs:
                output.prepare()
            with uninterrupted():
                for output in self._outputs:
                    output.publish()
        finally:
            for output in self._outputs:
                output.close()
        for output in self._outputs:
            output.pour()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Signals that end a command wait for the end of this."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _status(what: str | int) -> os.stat_result | None:
    try:
        return os.stat(what)
    except (OSError, ValueError):  # whoever opens it says why
        return None


def _clash(role: str, name: str, other: str, their_name: str) -> str:
    if role == _INPUT:
        role, name, other, their_name = other, their_name, role, name
    if other == _INPUT:
        also = "" if os.path.abspath(name) == os.path.abspath(their_name) else f" under the name {their_name}"
        return f"cannot write {name}: it is an input of the same command{also}"
    if other == _STREAM:
        return f"cannot write {name}: it is the file that {their_name} goes to"
    also = "" if os.path.abspath(name) == os.path.abspath(their_name) else f" under the name {their_name}"
    return f"cannot write {name}: it is another output of the same command{also}"
