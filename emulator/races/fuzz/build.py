# SPDX-License-Identifier: GPL-2.0-only
"""The two programs made of native/fuzz and the core: libFuzzer's, by clang, and the player of inputs, by CC."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shlex
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from emulator.errors import PvperfError
from emulator.places import find_program, run_program

ROOT = Path(__file__).resolve().parents[3]
CORPUS = ROOT / "tests/fuzz/corpus"
_NATIVE = ROOT / "native"
_FLAGS = [
    "-std=c11",
    "-D_GNU_SOURCE",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-g1",
    "-O1",
    "-pthread",
    "-fno-sanitize-recover=all",  # else UBSan would print, and go on
]
_FLAGS += [f"-I{_NATIVE}"]
_FLAGS += ["-include", str(_NATIVE / "fuzz/point.h")]
_SANITIZERS = "address,undefined"
_NEITHER = {"core/vm/host_thread.c"}  # the fuzzer's one thread plays all
_OF_FUZZER, _OF_PLAYER = "fuzz/target.c", "fuzz/replay.c"


class NotSupported(PvperfError):
    """This machine has no compiler that can build it."""

    exit_status = 126


def build_player() -> Path:
    """The program that plays inputs: from CC, or cc. Its options: native/fuzz/replay.c.

    :raises NotSupported: the compiler has no AddressSanitizer
    """
    compiler = shlex.split(os.environ.get("CC", "cc"))
    return _build("fuzz_replay", compiler, [f"-fsanitize={_SANITIZERS}"], leave_out=_OF_FUZZER)


def build_fuzzer() -> Path:
    """libFuzzer with the core in it.

    :raises NotSupported: there is no clang, or it has no libFuzzer
    """
    # How deep the stack gets is no feature: it depends on how its first frame happens to be aligned.
    flags = [f"-fsanitize=fuzzer,{_SANITIZERS}", "-fno-sanitize-coverage=stack-depth"]
    return _build("fuzzer", ["clang"], flags, leave_out=_OF_PLAYER)


def _sources(leave_out: str) -> list[Path]:
    names = [path for places in ("core/*/*.c", "fuzz/*.c") for path in sorted(_NATIVE.glob(places))]
    names += [_NATIVE / "abi/handover.c", _NATIVE / "explore/fibers/no_threads.c"]
    return [path for path in names if path.relative_to(_NATIVE).as_posix() not in {leave_out, *_NEITHER}]


@functools.cache
def _wraps() -> list[str]:
    """What native/fuzz puts in the place of the core's own functions and of libc's."""
    text = "".join(path.read_text() for path in sorted((_NATIVE / "fuzz").glob("*.[ch]")))
    return [f"-Wl,--wrap={name}" for name in sorted(set(re.findall(r"\b__wrap_(\w+)", text)))]


def _made_of(command: list[str]) -> str:
    digest = hashlib.sha256(repr(command).encode())
    for path in sorted(
        path for folder in ("abi", "core", "fuzz", "explore") for path in (_NATIVE / folder).rglob("*.[ch]")
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _run(command: list[str]) -> None:
    done = run_program(command)
    if done.returncode:
        raise PvperfError(f"{shlex.join(command)} failed:\n{done.stderr[-4000:]}")


def _check_compiler(compiler: list[str], sanitize: list[str], folder: Path) -> None:
    if not find_program(compiler[0]):
        raise NotSupported(f"{compiler[0]} is not there: install {compiler[0]}")
    probe = folder / "probe.c"
    entry = "LLVMFuzzerTestOneInput(const unsigned char *data, long size)" if "fuzzer" in sanitize[0] else "main(void)"
    probe.write_text(f"int {entry} {{ return 0; }}\n")
    command = [*compiler, *sanitize, str(probe), "-o", str(folder / "probe")]
    done = run_program(command)
    if done.returncode:
        runtime = (
            "libFuzzer and the sanitizers (Debian: libclang-rt-dev)" if compiler == ["clang"] else "the sanitizers"
        )
        raise NotSupported(
            f"{compiler[0]} cannot link with {shlex.join(sanitize)}: install its runtime of {runtime}; it says\n"
            f"{done.stderr.strip()}"
        )


def _build(name: str, compiler: list[str], sanitize: list[str], leave_out: str) -> Path:
    command = [*compiler, *_FLAGS, *sanitize]
    folder = ROOT / "build/fuzz" / f"{name}-{_made_of(command)}"
    program = folder / name
    if program.exists():
        return program
    folder.mkdir(parents=True, exist_ok=True)
    _check_compiler(compiler, sanitize, folder)
    sources = _sources(leave_out)
    objects = [folder / f"{path.parent.name}-{path.stem}.o" for path in sources]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for made in [
            pool.submit(_run, [*command, "-c", str(path), "-o", str(out)])
            for path, out in zip(sources, objects, strict=True)
        ]:
            made.result()
    unfinished = folder / f"{name}.{os.getpid()}"
    _run([*compiler, "-pthread", *sanitize, *_wraps(), *map(str, objects), "-o", str(unfinished)])
    unfinished.rename(program)
    return program
