# SPDX-License-Identifier: GPL-2.0-only
"""Builds the tree that it lies in, in place: the extension modules and the test programs, and of those what changed.

setup.py compiles a module anew as a whole; for one line that takes longer than finding out what is wrong with it.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build" / "mutation"
MODULES = ("core", "engine", "explore", "stress")
#: Where each test program's Python test is, in tests/.
_ROOMS = {"core": "core", "engine": "engine", "lockop": "engine", "wake": "core"}


class BuildError(Exception):
    """A command failed; the text is its own."""


@dataclass
class Target:
    """A file that is linked of objects."""

    path: Path
    sources: list[Path]
    compile: list[str]
    link: list[str]

    def object_of(self, source: Path) -> Path:
        return BUILD / "objects" / self.path.name / f"{source.parent.name}-{source.stem}.o"


def _module(name: str) -> Target:
    builder = importlib.import_module(f"build_{name}")
    extension: Any = builder.ffi.distutils_extension(tmpdir=str(BUILD / "generated"), verbose=False)
    flags = [*extension.extra_compile_args, "-fPIC", f"-I{sysconfig.get_path('include')}"]
    flags += [f"-I{path}" for path in extension.include_dirs]
    flags += [f"-D{macro}={value}" if value else f"-D{macro}" for macro, value in extension.define_macros]
    link = ["-shared", *(f"-L{path}" for path in extension.library_dirs), *extension.extra_link_args]
    link += [f"-l{library}" for library in extension.libraries]
    sources = [Path(source) if os.path.isabs(source) else ROOT / source for source in extension.sources]
    return Target(ROOT / "emulator" / f"_{name}.abi3.so", sources, flags, link)


def _interposed() -> Target:
    sources = sorted(importlib.import_module("build_engine").INTERPOSED)
    flags = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-g", "-fvisibility=hidden", "-fPIC", f"-I{ROOT / 'native'}"]
    return Target(ROOT / "emulator/_interposed.abi3.so", sources, flags, ["-shared", "-ldl"])


def _program(name: str) -> Target:
    """A test program as its Python test builds it, without sanitizers."""
    test: Any = importlib.import_module(f"tests.{_ROOMS[name]}.test_{name}")
    path, link, flags = BUILD / f"{name}_test", ["-pthread"], list(getattr(test, "FLAGS", ()))
    if name == "engine":
        for package, (file, soname) in test.LIBRARIES.items():
            folder = test.package_folder(package)
            (BUILD / soname).unlink(missing_ok=True)
            (BUILD / soname).symlink_to(folder / "lib" / file)
            flags.append(f"-I{folder / 'include'}")
            link += [str(BUILD / soname), f"-Wl,-rpath,{BUILD}"]
    if name == "lockop":
        flags = ["-std=c11", "-D_GNU_SOURCE", f"-I{ROOT / 'native'}"]
    return Target(path, [Path(source) for source in test.SOURCES], [*flags, "-O2", "-Wno-error"], link)


def _is_stale(target: Path) -> bool:
    """Is the object older than anything that it was made of?"""
    depends = target.with_suffix(".d")
    if not target.exists() or not depends.exists():
        return True
    made = target.stat().st_mtime_ns
    names = depends.read_text().replace("\\\n", " ").split(":", 1)[1].split()
    return any(not os.path.exists(name) or os.stat(name).st_mtime_ns > made for name in names)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise BuildError(f"{' '.join(command)}\n{done.stderr}")


def _compile(compiler: str, target: Target, source: Path) -> None:
    """The object appears whole, whatever ends this."""
    made = target.object_of(source)
    new = made.with_suffix(".new.o")
    depends = ["-MMD", "-MF", str(made.with_suffix(".d"))]
    _run([compiler, *target.compile, *depends, "-c", str(source), "-o", str(new)])
    os.replace(new, made)


def _build(target: Target) -> None:
    (BUILD / "objects" / target.path.name).mkdir(parents=True, exist_ok=True)
    compiler = os.environ.get("CC", "cc")
    stale = [source for source in target.sources if _is_stale(target.object_of(source))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for each in [pool.submit(_compile, compiler, target, source) for source in stale]:
            each.result()
    if stale or not target.path.exists():
        new = BUILD / f"{target.path.name}.new"
        _run([compiler, *(str(target.object_of(source)) for source in target.sources), "-o", str(new), *target.link])
        os.replace(new, target.path)


def _define() -> dict[str, Target]:
    """All targets by their names, as the builders and the tests have them."""
    sys.path[:0] = [str(ROOT / "native"), str(ROOT)]
    os.chdir(ROOT)
    found = {name: _module(name) for name in MODULES} | {"interposed": _interposed()}
    return found | {f"{name}_test": _program(name) for name in _ROOMS}


def _defined() -> dict[str, Target]:
    """The same, kept in a file while no header changes: the declarations for Python are made of those."""
    kept = BUILD / "targets.json"
    headers = [*(ROOT / "native").rglob("*.h"), *(ROOT / "native").glob("*.py")]
    if not kept.exists() or any(header.stat().st_mtime_ns > kept.stat().st_mtime_ns for header in headers):
        kept.write_text(json.dumps({name: asdict(target) for name, target in _define().items()}, default=str))
    found = json.loads(kept.read_text())
    for each in found.values():
        each |= {"path": Path(each["path"]), "sources": [Path(source) for source in each["sources"]]}
    return {name: Target(**each) for name, each in found.items()}


def main() -> int:
    """Builds the targets that are named. Returns 0, or 1 with the compiler's words on stderr."""
    BUILD.mkdir(parents=True, exist_ok=True)
    targets = _defined()
    try:
        for name in sys.argv[1:]:
            _build(targets[name])
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
