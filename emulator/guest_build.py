# SPDX-License-Identifier: GPL-2.0-only
"""Builds guests and the agent with the C compiler: at install time, and for a user's own program.

Needs nothing outside the standard library and the package's own files, so that ``setup.py`` can import it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from emulator.places import find_program, run_program

AGENT_MAGIC = b"PVAGENT2"

_COMMON_FLAGS = (
    "-std=c11",
    "-O2",
    "-ffreestanding",
    "-mno-red-zone",
    "-fno-omit-frame-pointer",
    "-fno-stack-protector",
    "-fcf-protection=none",
    "-fno-asynchronous-unwind-tables",
    "-fno-tree-vectorize",
    "-mno-avx",
    "-mno-80387",  # handlers run on what XMM holds: vectors.S saves no x87
    "-g",
    "-Wall",
    "-Wextra",
)
_OWN = ("-Werror",)  # for sources of the project; a user's program may have warnings
_RUNTIME = ("-mgeneral-regs-only", *_OWN)
_GUEST_FLAGS = ("-fno-pic", "-fno-pie")
_LINK_FLAGS = ("-nostdlib", "-static", "-Wl,--build-id", "-Wl,-z,noexecstack", "-Wl,-z,max-page-size=4096")


class GuestBuildError(Exception):
    """No compiler, or it failed: one sentence, then what the compiler said."""


def native_sources() -> Path:
    """The directory with ``abi/`` and ``guest/``: of the checkout if this is one, else packaged beside this file.

    Raises:
        GuestBuildError: neither is there.
    """
    here = Path(__file__).resolve().parent
    for candidate in (here.parent / "native", here / "data" / "native"):
        if (candidate / "guest" / "runtime" / "guest.ld").is_file():
            return candidate
    raise GuestBuildError(f"the sources of the guest runtime are missing: looked beside and under {here}")


def runtime_sources() -> list[Path]:
    """C and assembly files of the guest runtime."""
    return _sources_in(native_sources() / "guest" / "runtime")


def bundled_sources() -> dict[str, Path]:
    """Name of each bundled guest and the C file that it is made of."""
    return {path.stem: path for path in sorted((native_sources() / "guest" / "guests").glob("*.c"))}


def code_flags() -> list[str]:
    """How guest code is compiled, for code that shall be the same outside of a guest."""
    return [*_COMMON_FLAGS, *_GUEST_FLAGS]


def find_compiler(cc: str | None = None) -> list[str]:
    """The compiler's command: ``cc``, else ``$CC``, else the first of cc, gcc and clang that is installed.

    Raises:
        GuestBuildError: there is none.
    """
    wanted = cc or os.environ.get("CC")
    for candidate in [wanted] if wanted else ["cc", "gcc", "clang"]:
        command = shlex.split(candidate)
        if command and find_program(command[0]):
            return command
    name = f"the C compiler {wanted!r} was not found" if wanted else "no C compiler (cc, gcc or clang) was found"
    raise GuestBuildError(f"{name}: install gcc, or name one in CC")


def build_guest(
    sources: Iterable[str | Path], output: str | Path, *, cc: str | None = None, extra: Sequence[str] = ()
) -> None:
    """Compiles ``sources`` (C or assembly) against the guest runtime into the ELF ``output``.

    Args:
        extra: further compiler arguments, such as ``-DNAME=1``, for ``sources`` alone.

    Raises:
        GuestBuildError: with the compiler's own words.
    """
    build_guests({Path(output): [Path(source) for source in sources]}, cc=cc, extra=extra)


def build_guests(programs: Mapping[Path, Sequence[Path]], *, cc: str | None = None, extra: Sequence[str] = ()) -> None:
    """As :func:`build_guest`, for many: from output to sources. The runtime is compiled once.

    Raises:
        GuestBuildError: of the first that failed.
    """
    for output, sources in programs.items():
        if not sources:
            raise GuestBuildError(f"no source file was given for {output}")
        for source in sources:
            if not source.is_file():
                raise GuestBuildError(f"no such source file: {source}")
    command = find_compiler(cc)
    with tempfile.TemporaryDirectory(prefix="pvperf-guest-") as scratch:
        runtime = _compile_all(command, runtime_sources(), Path(scratch), _RUNTIME)

        def build(output: Path) -> None:
            _link_guest(command, programs[output], runtime, output, extra)

        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            list(pool.map(build, programs))


def build_bundled(output_dir: str | Path, *, cc: str | None = None) -> list[Path]:
    """Builds every bundled guest as ``output_dir/NAME.elf`` and returns the paths.

    Raises:
        GuestBuildError: with the compiler's own words.
    """
    directory = Path(output_dir)
    directory.mkdir(parents=True, exist_ok=True)
    programs = {directory / f"{name}.elf": [source] for name, source in bundled_sources().items()}
    build_guests(programs, cc=cc, extra=_OWN)
    return list(programs)


def build_agent(output: str | Path, *, cc: str | None = None) -> None:
    """Builds the agent's flat, position-independent blob.

    Raises:
        GuestBuildError: with the compiler's own words; also if the blob would need relocations or writable data.
    """
    command = find_compiler(cc)
    source = native_sources() / "guest" / "agent"
    with tempfile.TemporaryDirectory(prefix="pvperf-agent-") as scratch:
        flags = ("-fpie", "-fvisibility=hidden", *_RUNTIME)
        objects = _compile_all(command, _sources_in(source), Path(scratch), flags)
        link = ("-nostdlib", "-pie", "-Wl,--no-dynamic-linker", "-Wl,--build-id=none", "-Wl,--oformat=binary")
        blob = Path(scratch) / "agent.bin"
        _run([*command, *link, "-T", str(source / "agent.ld"), *map(str, objects), "-o", str(blob)], "the agent")
        if not blob.read_bytes().startswith(AGENT_MAGIC):
            raise GuestBuildError("the agent's blob does not begin with its header")
        _install(blob, Path(output))


def _sources_in(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.suffix in (".c", ".S"))


def _include_flags() -> list[str]:
    native = native_sources()
    return [f"-I{native / 'guest' / 'runtime'}", f"-I{native / 'abi'}"]


def _compile_all(command: list[str], sources: list[Path], directory: Path, flags: Sequence[str]) -> list[Path]:
    """Objects of ``sources``, in ``directory``; guest code models unless ``flags`` say -fpie."""
    model = () if "-fpie" in flags else _GUEST_FLAGS

    def compile_one(source: Path) -> Path:
        target = directory / f"{source.name}.o"
        _run(
            [*command, *_COMMON_FLAGS, *model, *flags, *_include_flags(), "-c", str(source), "-o", str(target)],
            source.name,
        )
        return target

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(compile_one, sources))


def _link_guest(
    command: list[str], sources: Sequence[Path], runtime: list[Path], output: Path, extra: Sequence[str]
) -> None:
    """Compiles and links in one step, into a temporary file that then becomes ``output``."""
    script = native_sources() / "guest" / "runtime" / "guest.ld"
    with tempfile.TemporaryDirectory(prefix="pvperf-link-") as scratch:
        elf = Path(scratch) / "guest.elf"
        arguments = [*command, *_COMMON_FLAGS, *_GUEST_FLAGS, *_include_flags(), *extra, *_LINK_FLAGS]
        files = [*map(str, sources), *map(str, runtime)]
        _run([*arguments, "-T", str(script), *files, "-o", str(elf)], ", ".join(path.name for path in sources))
        _install(elf, output)


def _install(built: Path, output: Path) -> None:
    """Moves a finished file to its place, so that nobody ever sees half of it."""
    if output.exists() and not output.is_file():
        raise GuestBuildError(f"cannot write {output}: it is not a regular file")
    partial = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        shutil.copyfile(built, partial)
        os.replace(partial, output)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise GuestBuildError(f"cannot write {output}: {error.strerror}") from error


def _run(arguments: list[str], what: str) -> None:
    try:
        done = run_program(arguments)
    except OSError as error:
        raise GuestBuildError(f"cannot run the C compiler {arguments[0]}: {error.strerror}") from error
    if done.returncode == 0:
        sys.stderr.write(done.stderr)
    else:
        raise GuestBuildError(f"{arguments[0]} failed on {what}:\n{done.stderr.strip()}")
