# SPDX-License-Identifier: GPL-2.0-only
"""docs/findings.md says what the explorer finds now, and everything that it points at is there."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from emulator.cli import main
from emulator.races.explore.case import read_case
from emulator.races.explore.machine import Machine
from emulator.races.explore.shrink import same
from emulator.races.findings import __main__ as script
from emulator.races.findings.cases import FINDINGS, ROOT, Finding, Found, exhausted
from emulator.races.findings.page import PAGE, difference, fill, stale_replays

TEXT = PAGE.read_text(encoding="utf-8")
EACH = pytest.mark.parametrize("finding", FINDINGS, ids=lambda finding: finding.path.stem)


def test_the_page_is_what_is_found_now(capsys: pytest.CaptureFixture[str]) -> None:
    """All of it but for the largest searches."""
    assert script.main(["--quick"]) == 0, capsys.readouterr().err


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_the_whole_page_is_what_is_found_now(capsys: pytest.CaptureFixture[str]) -> None:
    assert script.main(["--check"]) == 0, capsys.readouterr().err


@EACH
def test_a_finding_is_replayed_each_time(finding: Finding) -> None:
    case = read_case(ROOT / finding.path)
    assert all(same(case, case.replay()[0]) for _ in range(100))


@EACH
def test_the_command_on_the_page_leaves_the_replay_file(finding: Finding, tmp_path: Path) -> None:
    assert f"$ {finding.command()}\n$ pvperf replay {finding.path}\n" in TEXT
    path = tmp_path / finding.path.name
    assert main([*finding.command().split()[1:], "-o", str(path)]) == 1
    assert replace(read_case(path), build="") == replace(read_case(ROOT / finding.path), build="")


@EACH
def test_a_finding_holds_on_per_vm_and_nowhere_else(finding: Finding) -> None:
    """The search that says so finds the violation on the design that has it."""
    case = read_case(ROOT / finding.path)
    assert exhausted(replace(case.setup, design="per-vm"), case).complete
    with pytest.raises(RuntimeError, match="fails, too"):
        exhausted(case.setup, case)
    with Machine(case.setup, case.program) as machine:
        totals, verdict = machine.run("dfs", bound=max(0, case.preemptions - 1), count=10**6)
    assert verdict.held == bool(case.preemptions)
    assert totals.complete == verdict.held


def test_no_replay_file_is_left_over() -> None:
    assert {path.name for path in (PAGE.parent / "findings").glob("*.replay")} == {each.path.name for each in FINDINGS}


def test_every_function_on_the_page_is_where_it_points() -> None:
    links = re.findall(r"\[`(\w+)\(\)`\]\(\.\./([\w/.]+)\)", TEXT)
    assert len(links) > 15
    for function, path in links:
        assert re.search(rf"^\w.*\b{function}\(", (ROOT / path).read_text(), flags=re.MULTILINE), (function, path)


def test_a_replay_file_that_is_not_what_was_found_is_noticed() -> None:
    case = read_case(ROOT / FINDINGS[0].path)
    found = Found(FINDINGS[0], 1, case, exhausted(replace(case.setup, design="per-vm"), case))
    assert stale_replays([found, replace(found, case=replace(case, build="another"))]) == []
    assert len(stale_replays([replace(found, case=replace(case, text="something else"))])) == 1
    assert len(stale_replays([replace(found, finding=FINDINGS[1])])) == 1


@pytest.mark.parametrize(
    ("committed", "differs"),
    [
        ("all 1,234 of 17\nend", ""),
        ("all 1,234 of 18\nend", "line 1"),
        ("all or of 17\nend", "line 1"),
        ("all 1,234 of 17", "line 2"),
        ("all 1,234 of 17\nend\nmore", "behind line 2"),
    ],
)
def test_what_was_left_out_stands_for_a_figure(committed: str, differs: str) -> None:
    found = difference("all … of 17\nend", committed)
    assert differs in found
    assert bool(differs) == bool(found)


def test_a_template_and_its_values_fit() -> None:
    assert fill("{{one held}}, {{two}}", {"one held": "1", "two": "2"}) == "1, 2"
    with pytest.raises(ValueError, match="two"):
        fill("{{one}} {{two}}", {"one": "1"})
    with pytest.raises(ValueError, match="two"):
        fill("{{one}}", {"one": "1", "two": "2"})
