# SPDX-License-Identifier: GPL-2.0-only
"""The line that says how far a command is: on a terminal, for what takes long, and gone at the end."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from emulator.terminal.progress import Stand, figures

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120


class Terminal:
    """A command whose stderr, and stdout unless that is given, is a terminal of 90 columns."""

    def __init__(self, command: Sequence[str], *, stdout: int | None = None, **environment: str) -> None:
        ours, theirs = pty.openpty()
        said = ("NO_COLOR", "COLUMNS", "FORCE_COLOR")
        clean = {name: value for name, value in os.environ.items() if name not in said}
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs if stdout is None else stdout,
            stderr=theirs,
            cwd=ROOT,
            env={**clean, "TERM": "xterm", "COLUMNS": "90", **environment},
            preexec_fn=os.setsid,
        )
        os.close(theirs)
        self._terminal, self.said = ours, ""

    def until(self, wanted: str) -> None:
        """Reads until it has said that."""
        ends = time.monotonic() + SECONDS
        while not re.search(wanted, self.said):
            assert time.monotonic() < ends, self.said
            assert self._read(), self.said

    def end(self) -> int:
        """Reads until nobody has the terminal any more, and returns the status."""
        while self._read():
            pass
        return self.process.wait(SECONDS)

    def _read(self) -> bool:
        if not select.select([self._terminal], [], [], SECONDS)[0]:
            return False
        try:
            data = os.read(self._terminal, 65536)
        except OSError:  # the other end is closed
            return False
        self.said += data.decode()
        return bool(data)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._terminal)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    made: list[Terminal] = []
    yield made
    for each in made:
        each.close()


LINE = r"━ [\d,]+ schedules, [\d,]+/s, [\d:]+ left"
#: pvperf, for which all takes long: what does is a matter of the machine.
AT_ONCE = [
    sys.executable,
    "-c",
    "import sys\nfrom emulator.cli import main\nfrom emulator.terminal import progress\n"
    "progress._PATIENCE_SECONDS = 0\nsys.exit(main(sys.argv[1:]))",
]
EXPLORE = [*AT_ONCE, "explore", "migrate", "--seed", "1", "--duration"]


def screen(said: str) -> list[str]:
    """What is left on a terminal by all of that: as much of one as these commands need."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[?\d;]*[a-zA-Z]|[\r\n]|[^\x1b\r\n]+", said):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part == "\r":
            column = 0
        elif part.endswith("A"):
            row -= int(part[2:-1] or 1)
        elif part == "\x1b[2K":
            lines[row] = ""
        elif not part.startswith("\x1b"):
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + len(part) :]
            column += len(part)
    return [line.rstrip() for line in lines]


def assert_clean(said: str) -> None:
    """Nothing is left of the line, and there is a cursor."""
    assert "━" in said
    assert "━" not in "".join(screen(said)), screen(said)
    assert said.rfind("\x1b[?25h") > said.rfind("\x1b[?25l")


def test_rate_and_time_left_are_on_a_terminal(terminals: list[Terminal]) -> None:
    terminals.append(terminal := Terminal([*EXPLORE, "1s"]))
    assert terminal.end() in (0, 7)
    assert re.search(f"migrate .*{LINE}", re.sub(r"\x1b\[[\d;]*m", "", terminal.said))
    assert_clean(terminal.said)
    assert [line.split()[0] for line in screen(terminal.said) if line][:2] == ["explore:", "migrate"]


def test_the_terminal_is_clean_after_ctrl_c(terminals: list[Terminal]) -> None:
    terminals.append(terminal := Terminal([*EXPLORE, "300s"]))
    terminal.until("left")
    os.killpg(terminal.process.pid, signal.SIGINT)  # as a terminal does it
    assert terminal.end() == -signal.SIGINT
    assert_clean(terminal.said)
    assert screen(terminal.said)[1] == "interrupted in migrate"


def test_nothing_of_it_goes_into_a_pipe() -> None:
    done = subprocess.run([*EXPLORE, "1s"], capture_output=True, text=True, timeout=SECONDS, check=False, cwd=ROOT)
    assert "━" not in done.stdout + done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_stdout_has_only_what_it_has_without(terminals: list[Terminal], tmp_path: Path) -> None:
    with open(tmp_path / "out", "wb") as file:
        terminals.append(terminal := Terminal([*EXPLORE, "1s"], stdout=file.fileno()))
        terminal.end()
    assert "━" in terminal.said
    text = (tmp_path / "out").read_text()
    assert text.startswith("explore: design per-vm")
    assert "\x1b" not in text
    assert [line for line in screen(terminal.said) if line] == []


def test_no_color_and_width_are_respected(terminals: list[Terminal]) -> None:
    terminals.append(terminal := Terminal([*EXPLORE, "1s"], NO_COLOR="1", COLUMNS="40"))
    terminal.end()
    assert not re.search(r"\x1b\[[\d;]*[1-9]m", terminal.said)
    drawn = re.split(r"\r|\n", re.sub(r"\x1b\[[?\d;]*[a-zA-Z]", "\r", terminal.said))
    lines = [line for line in drawn if "━" in line]
    assert lines
    assert max(map(len, lines)) <= 40


@pytest.mark.parametrize(
    ("environment", "patience", "loaded"), [({}, "9", False), ({}, "0", True), ({"TERM": "dumb"}, "0", False)]
)
def test_rich_is_loaded_when_it_is_needed(
    terminals: list[Terminal], environment: dict[str, str], patience: str, loaded: bool
) -> None:
    program = (
        "import sys\nfrom emulator.terminal.progress import Progress\n"
        f"with Progress(patience={patience}) as progress: progress.say('it')\n"
        "print('rich' in sys.modules)"
    )
    terminals.append(terminal := Terminal([sys.executable, "-c", program], **environment))
    assert terminal.end() == 0
    assert screen(terminal.said)[-2:] == [str(loaded), ""]


LONG = {
    "stress": (["stress", "close-enable", "--duration", "2s", "--seed", "1"], r"close-enable .*operations?, .*VM"),
    "campaign": (
        ["campaign", "J", "churn", "--duration", "2s", "--seed", "1"],
        r"campaign .* of \d+ (canari|bl).*left",
    ),
    "model": (["model", "--vcpus", "3", "--ops", "2", "--states", "60000"], r"model .*[\d,]+ states, [\d,]+/s"),
    "traces": (["model", "--traces", "2000"], r"traces .*schedules, [\d,]+/s, .* left"),
    "bench": (["bench", "boot", "--quick"], r"boot.*round \d of 3 .*left"),
    "matrix": (["stress", "--matrix", "close-enable", "--native", "--duration", "2s"], "matrix .*left"),
    **({"spin": (["model", "--spin"], "Spin searches")} if shutil.which("spin") else {}),
}


def test_a_table_says_how_far_it_is(terminals: list[Terminal]) -> None:
    """It is not waited for: what is in it, others test."""
    terminals.append(terminal := Terminal([*AT_ONCE, "explore", "--canaries"]))
    terminal.until("canaries .*left")
    os.killpg(terminal.process.pid, signal.SIGINT)
    assert terminal.end() == -signal.SIGINT
    assert_clean(terminal.said)


@pytest.mark.parametrize("command", LONG)
def test_whatever_takes_long_says_how_far_it_is(command: str, terminals: list[Terminal], tmp_path: Path) -> None:
    words, wanted = LONG[command]
    words = [str(tmp_path / "journal") if word == "J" else word for word in words]
    terminals.append(terminal := Terminal([*AT_ONCE, *words]))
    terminal.end()
    assert re.search(wanted, re.sub(r"\x1b\[[?\d;]*[a-zA-Z]", "", terminal.said)), terminal.said
    assert_clean(terminal.said)


@pytest.mark.parametrize(
    ("stand", "elapsed", "said"),
    [
        (Stand("it"), 3.0, ""),
        (Stand("it", 1, "schedule"), 2.0, "1 schedule, 0/s"),
        (Stand("it", 30_000, "schedule", 0.25), 10.0, "30,000 schedules, 3,000/s, 0:30 left"),
        (Stand("it", 2, "VM", 0.001, "more"), 10.0, "2 VMs, 0/s, more, 2:46:30 left"),
        (Stand("it", share=1.0), 10.0, "0:00 left"),
        (Stand("it", share=1.5), 10.0, "0:00 left"),
    ],
)
def test_figures(stand: Stand, elapsed: float, said: str) -> None:
    assert figures(stand, elapsed) == said
