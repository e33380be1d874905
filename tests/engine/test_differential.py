# SPDX-License-Identifier: GPL-2.0-only
"""The differential tester, scripts/processor: a bounded part of what it does, and that it finds what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from processor.differential import known
from processor.differential.__main__ import main
from processor.differential.build import Programs, build
from processor.differential.kinds import difference
from processor.differential.runner import Filter, Runner
from processor.differential.search import Search, search
from processor.differential.shrink import shrink

ROOT = Path(__file__).resolve().parents[2]
CASES = 4_000
ONE = 1 << 0  # the one-byte map
MOV = 0x8B


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return build(tmp_path_factory.mktemp("differential"))


@pytest.mark.parametrize("cpu", ["default", "x86-64", "max"])
def test_nothing_differs_but_what_is_known(cpu: str, programs: Programs) -> None:
    state = Search(known.load())
    assert search(Runner(programs, Filter(1, machine=("--cpu", cpu))), 0, CASES, state) == CASES
    assert list(state.kinds) == []


def test_both_sides_make_the_same_cases(programs: Programs) -> None:
    pairs = Runner(programs, Filter(3, maps=ONE)).details([(number, 0) for number in range(0, 300, 10)])
    made = [(ours, theirs) for ours, theirs in pairs if theirs.case]
    assert len(made) > 10
    assert [(ours.case, ours.before) for ours, _ in made] == [(theirs.case, theirs.before) for _, theirs in made]


def test_what_is_planted_is_found_and_made_small(programs: Programs) -> None:
    """mov with a wrong bit in RBP, whatever it moves."""
    runner, state = Runner(programs, Filter(4, maps=ONE, opcode=MOV, plant=MOV)), Search(known.load())
    search(runner, 0, 40, state)
    assert state.different - state.known > 20
    found = [each for each in state.kinds.values() if each.kind in ("one 8b m: register", "one 8b r: register")]
    assert len(found) == 2
    for each in found:
        small = shrink(runner, each)
        assert small.kind.startswith("one 8b")
        zeros = [name for name, value in small.ours.before.items() if value.strip("0") == ""]
        assert len(zeros) > 12 + 16, "registers and vectors"
        again = difference(*runner.details([(small.number, small.simplify)])[0])
        assert again is not None
        assert again.kind == small.kind


def test_known_kinds_have_reasons(tmp_path: Path) -> None:
    assert known.load(), "or the list goes, and this test with it"
    listed = tmp_path / "known.toml"
    listed.write_text("[[known]]\nkind = 'one (8b'\nreason = 'r'\n")
    with pytest.raises(ValueError, match="unterminated"):
        known.load(listed)
    listed.write_text("[[known]]\nkind = 'one 8b'\nreason = ' '\n")
    with pytest.raises(ValueError, match="reason"):
        known.load(listed)
    listed.write_text("[[known]]\nkind = 'one 8b.*'\nreason = 'why'\n")
    assert known.reason_of(known.load(listed), "one 8b m: register") == "why"
    assert known.reason_of(known.load(listed), "one 8c m: one 8b") is None


@pytest.mark.parametrize(("host", "listed_here"), [("AMD", False), ("Intel", True)])
def test_a_kind_may_be_known_of_one_vendor(
    host: str, listed_here: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "host", lambda: host)
    listed = tmp_path / "known.toml"
    listed.write_text("[[known]]\nkind = 'one 8b.*'\nhost = 'Intel'\nreason = 'why'\n")
    assert bool(known.load(listed)) is listed_here
    listed.write_text("[[known]]\nkind = 'one 8b.*'\nhost = 'VIA'\nreason = 'why'\n")
    with pytest.raises(ValueError, match="AMD, Intel"):
        known.load(listed)


@pytest.mark.parametrize("wrong", [["--map", "two"], ["--only", "1ff"], ["--cases", "-1"], ["more"]])
def test_usage(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(wrong)
    assert caught.value.code == 2


def test_status_and_a_line_to_see_it_again() -> None:
    """As a command."""
    command = [sys.executable, "-m", "processor.differential", "--map", "one", "--only", "90", "--cases"]
    result = subprocess.run(
        [*command, "20"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "tests"},
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("20 cases in ")
