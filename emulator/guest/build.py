# SPDX-License-Identifier: GPL-2.0-only
"""Builds guests and the agent with the C compiler: at install time, and for a user's own program.

Needs nothing outside the standard library and the package's own files, so that ``setup.py`` can import it.
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from emulator.errors import HostError, PvperfError, explain
from emulator.files import write_whole
from emulator.places import environment, find_program, run_program

AGENT_MAGIC = b"PVAGENT3"

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
    "-march=x86-64",  # whatever the compiler's own default is; flags of a user's program come behind it
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
    """No compiler, or it failed: one sentence, and in `details` what the compiler said. `fault` is "usage", "host" for
    files that cannot be written, or "absent" for a machine without a compiler."""

    def __init__(self, sentence: str, *, details: str = "", fault: str = "usage") -> None:
        super().__init__(sentence)
        self.details, self.fault = details, fault


def native_sources() -> Path:
    """The directory with ``abi/`` and ``guest/``: of the checkout if this is one, else packaged beside this file.

    Raises:
        GuestBuildError: neither is there.
    """
    here = Path(__file__).resolve().parents[1]
    for candidate in (here.parent / "native", here / "data" / "native"):
        if (candidate / "guest" / "runtime" / "guest.ld").is_file():
            return candidate
    raise GuestBuildError(f"the sources of the guest runtime are missing: looked beside and under {here}")


def runtime_sources() -> list[Path]:
    """C and assembly files of the guest runtime."""
    runtime = native_sources() / "guest" / "runtime"
    return [source for room in (runtime, *sorted(runtime.glob("*/"))) for source in _sources_in(room)]


def bundled_sources() -> dict[str, list[Path]]:
    """Name of each bundled guest and what it is made of: a C file, or all sources in a folder."""
    found = sorted((native_sources() / "guest" / "guests").iterdir())
    return {path.stem: _sources_in(path) if path.is_dir() else [path] for path in found}


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
    raise GuestBuildError(f"{name}: install gcc, or name one in CC", fault="usage" if wanted else "absent")


def make_guest(
    sources: Iterable[str | Path], command: Sequence[str], extra: Sequence[str] = ()
) -> tuple[bytes, list[str]]:
    """The ELF of ``sources``, compiled by ``command`` with ``extra`` arguments, and every file that was read for it.

    Raises:
        GuestBuildError: with the compiler's own words.
    """
    with _scratch("guest") as scratch:
        elf, read = scratch / "guest.elf", scratch / "read"
        programs = {elf: [Path(source) for source in sources]}
        build_guests(programs, cc=shlex.join(command), extra=extra, dependencies=read)
        return elf.read_bytes(), [*_listed(read), *map(str, runtime_sources())]


def _listed(rules: Path) -> list[str]:
    """The files that make's rules name behind a colon. A compiler that writes none told of none."""
    text = rules.read_text(errors="surrogateescape").replace("\\\n", " ") if rules.exists() else ""
    words = [word for rule in text.splitlines() for word in re.findall(r"(?:\\.|[^\s\\])+", rule.partition(": ")[2])]
    return [re.sub(r"\\(.)", r"\1", word).replace("$$", "$") for word in words]


@contextmanager
def _scratch(what: str) -> Iterator[Path]:
    """A directory that is gone afterwards."""
    try:
        with tempfile.TemporaryDirectory(prefix=f"pvperf-{what}-") as name:
            yield Path(name)
    except OSError as error:
        raise GuestBuildError(f"cannot write a temporary file: {error.strerror}", fault="host") from error


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


def build_guests(
    programs: Mapping[Path, Sequence[Path]],
    *,
    cc: str | None = None,
    extra: Sequence[str] = (),
    dependencies: Path | None = None,
) -> None:
    """As :func:`build_guest`, for many: from output to sources. The runtime is compiled once.

    Args:
        dependencies: where the compiler shall note, as rules for make, which files it reads.

    Raises:
        GuestBuildError: of the first that failed.
    """
    for output, sources in programs.items():
        if not sources:
            raise GuestBuildError(f"no source file was given for {output}")
        for source in sources:
            if not source.is_file():
                raise GuestBuildError(f"no such source file: {source}")
            if output.exists() and output.samefile(source):
                raise GuestBuildError(f"cannot write {output}: it is the source {source}")
    command = find_compiler(cc)
    with _scratch("guest") as scratch:
        runtime = _compile_all(command, runtime_sources(), scratch, _RUNTIME)

        def build(output: Path) -> None:
            _link_guest(command, programs[output], runtime, output, extra, dependencies)

        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            list(pool.map(build, programs))


def build_bundled(output_dir: str | Path, *, cc: str | None = None) -> list[Path]:
    """Builds every bundled guest as ``output_dir/NAME.elf`` and returns the paths.

    Raises:
        GuestBuildError: with the compiler's own words.
    """
    directory = Path(output_dir)
    directory.mkdir(parents=True, exist_ok=True)
    programs = {directory / f"{name}.elf": sources for name, sources in bundled_sources().items()}
    build_guests(programs, cc=cc, extra=_OWN)
    return list(programs)


def build_agent(output: str | Path, *, cc: str | None = None) -> None:
    """Builds the agent's flat, position-independent blob.

    Raises:
        GuestBuildError: with the compiler's own words; also if the blob would need relocations or writable data.
    """
    command = find_compiler(cc)
    source = native_sources() / "guest" / "agent"
    with _scratch("agent") as scratch:
        flags = ("-fpie", "-fvisibility=hidden", *_RUNTIME)
        objects = _compile_all(command, _sources_in(source), scratch, flags)
        link = ("-nostdlib", "-pie", "-Wl,--no-dynamic-linker", "-Wl,--build-id=none", "-Wl,--oformat=binary")
        blob = scratch / "agent.bin"
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
    command: list[str],
    sources: Sequence[Path],
    runtime: list[Path],
    output: Path,
    extra: Sequence[str],
    dependencies: Path | None,
) -> None:
    """Compiles and links in one step, into a temporary file that then becomes ``output``."""
    script = native_sources() / "guest" / "runtime" / "guest.ld"
    with _scratch("link") as scratch:
        elf = scratch / "guest.elf"
        arguments = [*command, *_COMMON_FLAGS, *_GUEST_FLAGS, *_include_flags(), *extra, *_LINK_FLAGS]
        files = [*map(_operand, sources), *map(str, runtime)]
        what = ", ".join(path.name for path in sources)
        _run([*arguments, "-T", str(script), *files, "-o", str(elf)], what, dependencies)
        _install(elf, output)


def _install(built: Path, output: Path) -> None:
    """Puts a finished file in its place, so that nobody ever sees half of it."""
    try:
        write_whole(output, built.read_bytes())
    except PvperfError as error:
        raise GuestBuildError(str(error), fault="host" if isinstance(error, HostError) else "usage") from error


def _operand(source: Path) -> str:
    """No option, and no file of options, to a compiler."""
    return f"./{source}" if str(source).startswith(("-", "@")) else str(source)


# What a compiler says of it is no fault of its sources'.
_OF_HOST = (
    *map(os.strerror, (errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENOMEM, errno.EAGAIN)),
    "File size limit exceeded",
)


def _run(arguments: list[str], what: str, dependencies: Path | None = None) -> None:
    noted = {"DEPENDENCIES_OUTPUT": str(dependencies)} if dependencies else {}  # gcc and clang add to that file
    try:
        done = run_program(arguments, env=environment(**noted))
    except OSError as error:
        fault = "usage" if isinstance(error, (FileNotFoundError, PermissionError)) else "host"
        raise GuestBuildError(f"cannot run the C compiler {arguments[0]}: {explain(error)}", fault=fault) from error
    if done.returncode == 0:
        sys.stderr.write(done.stderr)
    else:
        no_room = any(words in done.stderr for words in _OF_HOST)
        fault = "host" if no_room else "usage"
        raise GuestBuildError(f"{arguments[0]} failed on {what}", details=done.stderr.strip(), fault=fault)
