# SPDX-License-Identifier: GPL-2.0-only
"""From where modules and programs are taken: never from where pvperf happens to be started.

Imports nothing but `os`, not even `__future__`: it is loaded while the current directory may still be in sys.path.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping, Sequence
    from typing import Any

#: The directory of this package, and in it the first code of each Python process that pvperf starts.
PACKAGE = os.path.dirname(os.path.abspath(__file__))
START = os.path.join(PACKAGE, "start.py")

# Lists of directories in which an empty element is the current one, for programs that others of ours start.
_LISTS = ("LD_LIBRARY_PATH", "LIBRARY_PATH", "CPATH", "C_INCLUDE_PATH", "COMPILER_PATH", "PYTHONPATH")


def module_path() -> list[str]:
    """sys.path without what Python puts there unasked: the current directory, and the main script's.

    What PYTHONPATH names stays, and so does what a program has added itself, but for relative places.
    """
    named = [] if sys.flags.ignore_environment else os.environ.get("PYTHONPATH", "").split(os.pathsep)
    unasked = _unasked() - {os.path.abspath(entry) for entry in named if entry}
    library = os.path.dirname(os.__file__)
    # Python's own places come behind those; the current directory may well be one of them.
    own = sys.path.index(library) if library in sys.path else len(sys.path)
    return [
        entry
        for at, entry in enumerate(sys.path)
        if os.path.isabs(entry) and (at >= own or os.path.abspath(entry) not in unasked)
    ]


def _unasked() -> set[str]:
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    return {_STARTED_IN, _here()} | ({os.path.dirname(os.path.realpath(script))} if script else set())


def _here() -> str:
    try:
        return os.getcwd()
    except OSError:  # it has been removed
        return ""


# Of `python -m`, which puts it into sys.path; a program may have gone elsewhere since.
_STARTED_IN = _here()


def own_command(*arguments: str) -> list[str]:
    """The command of this very pvperf with these arguments, in a process of its own."""
    return [sys.executable, "-P", START, *arguments]


def find_program(name: str) -> str | None:
    """The program's path, if it is in an absolute directory of PATH; a name with a slash is a path itself."""
    import shutil

    return shutil.which(name, path=_absolute(os.environ.get("PATH", os.defpath)))


def environment(**more: str) -> dict[str, str]:
    """This process' environment, with `more`, for programs that look for others, or for libraries."""
    clean = {**os.environ, **more}
    clean["PATH"] = _absolute(clean.get("PATH", os.defpath))
    for name in _LISTS:
        if name in clean:
            clean[name] = os.pathsep.join(filter(None, clean[name].split(os.pathsep)))
    return clean


def _absolute(path: str) -> str:
    return os.pathsep.join(filter(os.path.isabs, path.split(os.pathsep)))


def run_program(
    command: "Sequence[str]", *, env: "Mapping[str, str] | None" = None, **options: "Any"
) -> "subprocess.CompletedProcess[str]":
    """subprocess.run() of a program as find_program() has it, with what it prints as text. FileNotFoundError if there
    is none.
    """
    import subprocess

    path = find_program(command[0])
    if path is None:
        raise FileNotFoundError(2, os.strerror(2), command[0])
    options = {"capture_output": True, "text": True, "errors": "replace", "check": False, **options}
    return subprocess.run([path, *command[1:]], env=environment() if env is None else env, **options)
