# SPDX-License-Identifier: GPL-2.0-only
"""How the project is built and tested: by any compiler command, once, and with a word of what it does."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: In place of .venv's Python: notes what pip is asked for, and says what a build says.
PYTHON = """#!/bin/sh
case "$*" in
*"-m pip"*install*)
	shift 2
	echo "$*" >>pip.log
	sleep "${PIP_SECONDS:-0}"
	case "$*" in *editable*)
		echo "  building 'emulator._core' extension"
		for part in ${SLOWLY:-}; do echo "  gcc -O2 -c $part.c -o $part.o"; sleep 1.2; done
		: >emulator/_core.abi3.so
		exit ${BROKEN:-0};;
	esac;;
*"import pip"*) ;;
*) exec PYTHON "$@";;
esac
"""


@pytest.mark.parametrize("command", ["env gcc", "gcc -pthread", "gcc"])
def test_a_compiler_command_of_several_words(command: str) -> None:
    """As with ccache before it."""
    program = "from build_native import declarations; print(declarations(['explore/play/explore.h']))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT / "native",
        env={**os.environ, "CC": command},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "struct explore_verdict" in done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """As much of one as the environment is made of."""
    for name in ("scripts/environment.sh", "pyproject.toml", "setup.py", "emulator/guest/build.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "native").mkdir()
    (tmp_path / "native" / "core.c").touch()
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON.replace("PYTHON", sys.executable))
    python.chmod(0o755)
    return tmp_path


def prepare(project: Path, extra: str = "", **environment: str) -> tuple[list[str], str, int]:
    """What pip was asked for, what was said, and the status."""
    (project / "pip.log").unlink(missing_ok=True)
    done = subprocess.run(
        ["bash", "-c", f"source scripts/environment.sh; prepare_environment {extra}"],
        cwd=project,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    log = project / "pip.log"
    return log.read_text().splitlines() if log.exists() else [], done.stderr, done.returncode


def builds(asked: list[str]) -> int:
    return sum("--editable" in each for each in asked)


def test_what_is_built_is_built_once(project: Path) -> None:
    asked, said, _ = prepare(project)
    assert builds(asked) == 1
    assert "pvperf: compiling emulator._core (" in said
    assert prepare(project) == ([], "", 0)
    asked, said, _ = prepare(project, "dev")
    assert builds(asked) == 0, "an extra is packages, and nothing that is compiled"
    (extra,) = asked
    assert "pytest>=" in extra
    assert "pvperf: installing what 'dev' needs" in said
    assert prepare(project, "dev") == prepare(project) == ([], "", 0)


def test_what_changed_is_built_again(project: Path) -> None:
    prepare(project, "dev")
    (project / "native" / "core.c").write_text("int changed;\n")
    assert builds(prepare(project, "dev")[0]) == 1
    (project / "emulator" / "_core.abi3.so").unlink()
    assert builds(prepare(project)[0]) == 1


def test_a_build_that_fails_says_what_it_said(project: Path) -> None:
    asked, said, status = prepare(project, BROKEN="1")
    assert status == 1
    assert "building 'emulator._core' extension" in said
    assert said.endswith("pvperf: the installation failed; pip says above why\n")
    assert builds(prepare(project)[0]) == 1, "and is tried again"
    assert asked


def on_a_terminal(project: Path, interrupt: str = "", **environment: str) -> tuple[str, int]:
    """What is said to one, which sends Ctrl-C after it was said that; and the status."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["bash", "-c", "source scripts/environment.sh; prepare_environment"],
        cwd=project,
        env={**os.environ, "TERM": "xterm", **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    said = ""
    with contextlib.suppress(OSError):  # the last one that has the terminal has ended
        while data := os.read(ours, 4096):
            said += data.decode()
            if interrupt and interrupt in said:
                interrupt = ""
                os.killpg(process.pid, signal.SIGINT)
    os.close(ours)
    return said, process.wait(60)


def left(said: str) -> list[str]:
    """The lines as they stay."""
    return [re.split(r"\r(?:\x1b\[K)?", line)[-1] for line in said.replace("\r\n", "\n").split("\n")]


def test_a_build_shows_a_terminal_that_it_is_alive(project: Path) -> None:
    said, status = on_a_terminal(project, SLOWLY="a b c", PIP_SECONDS="1.5")
    assert status == 0
    assert re.search(r"pvperf: pip is at work, [1-9]\d* s", said)
    assert re.search(r"pvperf: [23] files compiled, [1-9]\d* s", said)
    assert [line.split()[1] for line in left(said) if line][:-1] == ["installing", "building", "compiling"]
    assert left(said)[-1] == ""


@pytest.mark.parametrize("when", ["pip is at work, 1", "1 file compiled, 1"])
def test_ctrl_c_in_a_build_leaves_the_terminal_clean(project: Path, when: str) -> None:
    said, status = on_a_terminal(project, when, SLOWLY="a b c d e f g h", PIP_SECONDS="5" if "pip" in when else "0")
    assert status == -signal.SIGINT
    assert left(said)[-1] == ""
    assert "at work" not in "".join(left(said))
    assert "file" not in "".join(left(said))


def test_a_run_that_is_cut_short_has_named_what_failed(tmp_path: Path) -> None:
    """Also with -q."""
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    shutil.copy(ROOT / "tests" / "processes.py", tmp_path)
    (tmp_path / "test_it.py").write_text(
        "import os\ndef test_fails(): assert False\ndef test_is_killed(): os.kill(os.getpid(), 9)\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "."]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode < 0
    assert "\nFAILED test_it.py::test_fails, call\n" in done.stdout


#: They work on the project's tree, and are no part of what is installed.
OF_THE_TREE = {"emulator.mutation", "emulator.pictures", "emulator.races.findings", "emulator.races.fuzz"}


def test_every_package_is_installed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    there = {
        path.parent.relative_to(ROOT).as_posix().replace("/", ".") for path in ROOT.glob("emulator/**/__init__.py")
    }
    assert sorted(listed) == sorted(there - OF_THE_TREE)


@pytest.mark.parametrize("name", ["findings", "fuzz", "hostile-commands", "mutate", "processor"])
def test_a_help_builds_nothing(name: str) -> None:
    """Whatever is built needs a compiler."""
    done = subprocess.run(
        [ROOT / "scripts" / name, "--help"],
        env={**os.environ, "CC": "no-such-compiler"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: scripts/{name} ")
