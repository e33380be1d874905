# SPDX-License-Identifier: GPL-2.0-only
"""Nothing is taken from where pvperf is started: no module, no program, by none of its processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from emulator import places

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(sys.executable).with_name("pvperf")
NEEDED = {
    "cffi",
    "_cffi_backend",
    "dill",
    "distributed",
    "elftools",
    "multiprocess",
    "posix_ipc",
    "unicorn",
}

# What Python itself imports for -m, before anything of ours.
_PYTHONS_OWN = "import runpy, sys; print(*{name.partition('.')[0] for name in sys.modules})"
_PLANTED = """import posix, sys
posix.write(posix.open({told!r}, posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND), b"%d {name}\\n" % posix.getpid())
raise ImportError("planted")
"""
# The user's own process may import from there: it does the same before, so that it has all of its modules.
_PROGRAM = """import sys
before, sys.path[:] = sys.path[:], sys.path[1:]
{does}
sys.path[:] = before
{does}
"""
_BOOT = "from emulator import VirtualMachine\nwith VirtualMachine() as vm: print(vm.run('hello').status)"
_CREW = """from functools import partial
from emulator.races.explore.crew import Crew
with Crew(2) as crew: print(*crew.each([partial(eval, '__import__("wave").__file__')]))"""


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a module for each of the standard library's, and of those that pvperf needs."""
    folder = tmp_path_factory.mktemp("planted")
    own = subprocess.run([sys.executable, "-ISc", _PYTHONS_OWN], capture_output=True, text=True, check=True).stdout
    for name in (set(sys.stdlib_module_names) | NEEDED) - set(own.split()):
        (folder / f"{name}.py").write_text(_PLANTED.format(told=str(folder / "ran"), name=name))
    return folder


def run(folder: Path, *command: str | Path, status: int = 0, **more: str) -> str:
    """Runs a command there, and sees that nothing planted ran."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | more
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    told = folder / "ran"
    ran = told.read_text() if told.exists() else ""
    told.unlink(missing_ok=True)
    assert (ran, done.returncode, done.stderr) == ("", status, "")
    return done.stdout


@pytest.mark.parametrize("command", [[SCRIPT], [sys.executable, "-m", "emulator"]])
def test_a_vm_of_the_command_line(planted: Path, command: list[str]) -> None:
    assert "hello from vCPU 1 of 2" in run(planted, *command, "run", "--smp", "2", "hello")


@pytest.mark.parametrize(
    "command",
    [
        ["stress", "churn", "--native", "--ops", "2000", "--seed", "1"],
        ["explore", "close-enable", "--schedules", "10", "--seed", "1"],
        ["stat", "-x,", "-q", "-o", os.devnull, "hello"],
        ["record", "-q", "-o", os.devnull, "hello"],
        ["guests"],
    ],
)
def test_other_commands(planted: Path, command: list[str]) -> None:
    environment = {**os.environ}
    environment.pop("PYTHONPATH", None)
    subprocess.run([sys.executable, "-m", "emulator", *command], cwd=planted, env=environment, check=False)
    assert not (planted / "ran").exists()


def test_the_host_of_a_programs_vm(planted: Path) -> None:
    assert run(planted, sys.executable, "-c", _PROGRAM.format(does=_BOOT)) == "0\n" * 2


def test_the_host_of_a_scripts_vm(planted: Path) -> None:
    script = planted / "my_program.py"
    script.write_text(_PROGRAM.format(does=_BOOT))
    assert run(ROOT, sys.executable, script) == "0\n" * 2
    assert not (planted / "ran").exists()


def test_workers_that_are_forked(planted: Path) -> None:
    clean, beside = run(planted, sys.executable, "-c", _PROGRAM.format(does=_CREW)).splitlines()
    assert clean == beside == os.path.join(os.path.dirname(os.__file__), "wave.py")


def test_pvperf_by_its_own_command_is_this_one(planted: Path, tmp_path: Path) -> None:
    """Even where another one is to be found first."""
    other = tmp_path / "emulator"
    other.mkdir()
    (other / "__init__.py").write_text("raise ImportError('another')")
    assert "matmul" in run(planted, *places.own_command("guests"), PYTHONPATH=str(tmp_path))


def test_a_compiler_and_what_it_starts(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    for name in ("cc", "gcc", "as", "ld", "collect2", "cc1"):
        tool = tmp_path / name
        tool.write_text(f"#!/bin/sh\necho {name} >>{tmp_path}/ran\nexit 1\n")
        tool.chmod(0o755)
    search = f".::{os.environ['PATH']}"
    run(tmp_path, SCRIPT, "guests", "build", ROOT / "examples" / "count.c", "-o", "count.elf", PATH=search)
    assert (tmp_path / "count.elf").exists()


def test_programs_are_found_in_absolute_directories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "perf"
    tool.write_text("#!/bin/sh\necho planted\n")
    tool.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", ":.:/nonexistent")
    assert places.find_program("perf") is None
    with pytest.raises(FileNotFoundError):
        places.run_program(["perf"])
    assert places.run_program(["./perf"]).stdout == "planted\n"
    monkeypatch.setenv("LD_LIBRARY_PATH", f":{tmp_path}:")
    assert places.environment()["LD_LIBRARY_PATH"] == str(tmp_path)
    monkeypatch.setenv("PATH", f".:{tmp_path}")
    assert places.find_program("perf") == str(tool)


def test_what_pythonpath_names_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), "relative", "/named", *sys.path])
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert places.module_path()[0] == "/named"
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert places.module_path()[:2] == [str(tmp_path), "/named"]


def test_a_current_directory_of_pythons_own_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when pvperf is started in site-packages."""
    monkeypatch.chdir(os.path.dirname(os.__file__))
    assert os.path.dirname(os.__file__) in places.module_path()
