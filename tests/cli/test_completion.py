# SPDX-License-Identifier: GPL-2.0-only
"""Completion in shells, as far as they are there, and manual pages, by the programs that read them."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import commands
import pytest

from emulator.cli.manual.man_command import write_pages
from emulator.cli.options.manual import SHELLS

ROOT = Path(__file__).resolve().parents[2]


def pvperf(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return commands.pvperf(*arguments, env={**os.environ, **environment}, cwd=ROOT)


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The scripts, by shell."""
    written = {}
    for shell in SHELLS:
        done = pvperf("completion", shell)
        assert (done.returncode, done.stderr) == (0, "")
        written[shell] = tmp_path_factory.mktemp("completion") / f"pvperf.{shell}"
        written[shell].write_text(done.stdout)
    return written


def needs(program: str) -> None:
    if not shutil.which(program):
        pytest.skip(f"{program} is not there")


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_accepts_its_script(shell: str, scripts: dict[str, Path]) -> None:
    needs(shell)
    fast = {"bash": ["--norc"], "zsh": ["-f"], "tcsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [shell, *fast, "-n", str(scripts[shell])], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


#: What is typed, and what it may become.
COMPLETED = {
    "pvperf st": {"stat", "stress"},
    "pvperf guests b": {"build"},
    "pvperf stat --des": {"--design"},
    "pvperf stat --design p": {"per-vm", "per-vcpu", "posted"},
    "pvperf stat mat": {"matmul"},
    "pvperf explore group-": {"group-close", "group-move"},
    "pvperf help sta": {"stat"},
}


@pytest.mark.parametrize("typed", COMPLETED)
def test_bash_completes(typed: str, scripts: dict[str, Path], tmp_path: Path) -> None:
    words = typed.split(" ")
    program = (
        f"source {scripts['bash']}; COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; "
        "$(complete -p pvperf | sed 's/.* -F \\([^ ]*\\) .*/\\1/'); "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", program], capture_output=True, text=True, timeout=300, check=False, cwd=tmp_path
    )
    assert (set(done.stdout.split()), done.stderr) == (COMPLETED[typed], "")


@pytest.mark.parametrize("typed", COMPLETED)
def test_fish_completes(typed: str, scripts: dict[str, Path], tmp_path: Path) -> None:
    needs("fish")
    program = f"source {scripts['fish']}; complete -C '{typed}'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", program],
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=tmp_path,
    )
    assert {line.split("\t")[0] for line in done.stdout.splitlines()} == COMPLETED[typed]


def on_a_terminal(command: list[str], steps: list[tuple[str, str]], place: Path) -> str:
    """What the command prints after it was typed each text, and until it has said what follows from that."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(place)
        os.environ.update(TERM="dumb", PS1="ready> ", HOME=str(place), COLUMNS="80")
        os.execvp(command[0], command)
    said = ""
    try:
        for typed, wanted in [("", "ready>"), *steps]:
            os.write(terminal, typed.encode())
            said, end = "", time.monotonic() + 120
            while wanted not in said and time.monotonic() < end:
                if select.select([terminal], [], [], 0.1)[0]:
                    said += os.read(terminal, 4096).decode(errors="replace")
            assert wanted in said, said
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    return said


def test_zsh_completes(scripts: dict[str, Path], tmp_path: Path) -> None:
    needs("zsh")
    load = f'autoload -U compinit; compinit -u -D; eval "$(cat {scripts["zsh"]})"; print load""ed\n'
    steps = [(load, "loaded"), ("pvperf st\t\t", "Let whole VMs race")]
    said = on_a_terminal(["zsh", "-f", "-i"], steps, tmp_path)
    assert "Boot a guest and count events" in said
    on_a_terminal(["zsh", "-f", "-i"], [(load, "loaded"), ("pvperf stat mat\t", "matmul ")], tmp_path)


def test_without_shtab_it_says_so(tmp_path: Path) -> None:
    """As where the extra is not installed."""
    (tmp_path / "shtab.py").write_text("raise ModuleNotFoundError(name='shtab')")
    done = pvperf("completion", "bash", PYTHONPATH=str(tmp_path))
    sentence = "pvperf: completions are written by shtab: pip install 'pvperf[completion]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (126, "", sentence)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Every manual page, as an installation gets them."""
    return [Path(each) for each in write_pages(tmp_path_factory.mktemp("man"))]


def test_there_is_a_page_for_each_command(pages: list[Path]) -> None:
    names = {path.name for path in pages}
    assert names >= {"pvperf.1", "pvperf-stat.1", "pvperf-guests-build.1", "pvperf-bench-nmi-miss.1"}
    assert pvperf("man", "guests", "build").stdout == next(p for p in pages if "guests-build" in p.name).read_text()


def test_an_installation_has_them(pages: list[Path], tmp_path: Path) -> None:
    command = [sys.executable, "setup.py", "-q", "install_data", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, capture_output=True, timeout=300, check=True)
    installed = {path.name: path.read_text() for path in (tmp_path / "share" / "man" / "man1").iterdir()}
    assert installed == {path.name: path.read_text() for path in pages}


def test_groff_has_no_complaint(pages: list[Path]) -> None:
    needs("groff")
    for page in pages:
        done = subprocess.run(
            ["groff", "-man", "-Tutf8", "-ww", "-z", str(page)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), page.name


def test_man_shows_what_the_help_says(pages: list[Path]) -> None:
    needs("man")
    page = next(path for path in pages if path.name == "pvperf-stat.1")
    done = subprocess.run(
        ["man", "-l", "--warnings", str(page)],
        env={**os.environ, "MANWIDTH": "200", "MAN_KEEP_FORMATTING": "", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    sections = re.findall(r"^[A-Z][A-Z ]+$", done.stdout, flags=re.MULTILINE)
    assert sections == ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES", "SEE ALSO"]
    for option in re.findall(r"^  (-.*?)(?:  |$)", pvperf("stat", "--help", COLUMNS="200").stdout, flags=re.MULTILINE):
        assert re.search(rf"^ +{re.escape(option)}(?:  |$)", done.stdout, flags=re.MULTILINE), option
    assert "pvperf stat -e instructions:u,instructions:k,cycles user\n" in done.stdout
