# SPDX-License-Identifier: GPL-2.0-only
"""The examples of the README and of docs/ print what is written there, up to figures; links lead somewhere."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from emulator import errors
from emulator.bench.measuring.result import load_document
from emulator.bench.reporting.table import document_table
from emulator.bench.reporting.trust import doubts, of_everything
from emulator.cli import stress_command
from emulator.debian import places

ROOT = Path(__file__).resolve().parents[2]
GENERATED = {"cycles.md", "findings.md", "mutations.md", "performance.md"}  # by programs, which have tests of their own
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    if path.name not in GENERATED
}
PICTURES = sorted((ROOT / "docs/pictures").iterdir())
CONSOLES = {name: re.findall(r"```console\n(.*?)```", text, flags=re.DOTALL) for name, text in PAGES.items()}
#: Minutes rather than seconds, and all figures: only that it runs is tested elsewhere.
UNTESTED = "pvperf bench "


def sessions() -> dict[str, str]:
    """Each only once, by the page that has it first."""
    found: dict[str, str] = {}
    for name, texts in CONSOLES.items():
        for text in texts:
            if not text.startswith(f"$ {UNTESTED}") and text not in found.values():
                found[f"{name}: {text.splitlines()[0][2:40]}"] = text
    return found


def shape(text: str) -> list[str]:
    """Lines without what may differ from run to run: figures, but not where code is, and the blanks around them."""
    figure = r"(?<!\.[ch]:)(?<!\d)[\d,.]*\d"
    return [re.sub(r"\s+", " ", re.sub(figure, "#", line)).strip() for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("session", sessions().values(), ids=sessions().keys())
def test_console(session: str, tmp_path: Path) -> None:
    if "pvperf linux" in session and not (places.directory() / places.FULL).exists():
        pytest.skip("Debian's kernel is not there: pvperf linux --fetch")
    for directory in ("examples", "tests"):
        (tmp_path / directory).symlink_to(ROOT / directory)
    binary = tmp_path / "bin"
    binary.mkdir()
    script = binary / "pvperf"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m emulator "$@"\n')
    script.chmod(0o755)
    environment = {**os.environ, "PATH": f"{binary}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    for step in re.split(r"(?m)^\$ ", session)[1:]:
        command, _, expected = step.partition("\n")
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        assert shape(done.stdout + done.stderr) == shape(expected)


def test_python_example(tmp_path: Path) -> None:
    """It needs no guard against being imported by the processes that it starts."""
    example = tmp_path / "example.py"
    example.write_text(re.findall(r"```python\n(.*?)```", PAGES["docs/counting.md"], flags=re.DOTALL)[0])
    done = subprocess.run(
        [sys.executable, str(example)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    totals, table = done.stdout.split("\n", 1)
    counts = ast.literal_eval(totals)
    assert list(counts) == ["instructions", "branches:u"]
    assert counts["instructions"] > 10**6
    assert re.search(r"^ +[0-9.]+% +[0-9,]+ +hot$", table, flags=re.MULTILINE)


def test_c_example_is_the_file() -> None:
    examples = [
        found for text in PAGES.values() for found in re.findall(r"```c\n/\* (\S+) \*/\n(.*?)```", text, re.DOTALL)
    ]
    assert examples
    for name, code in examples:
        assert (ROOT / name).read_text().endswith(code)


def test_every_place_in_the_code_map_exists() -> None:
    code_map = PAGES["docs/architecture.md"].partition("## Code map")[2]
    rows = re.findall(r"^\| (`.*?) \|", code_map, flags=re.MULTILINE)
    assert len(rows) > 10
    for row in rows:
        base = ROOT
        for name in re.findall(r"`([^`]+)`", row):
            path = ROOT / name if (ROOT / name.split("*")[0]).exists() or "/" in name.rstrip("/") else base / name
            assert list(path.parent.glob(path.name)), name
            base = path.parent


def test_the_table_of_exit_statuses_is_what_errors_have() -> None:
    told = {int(row) for row in re.findall(r"^\| (\d+) \|", PAGES["docs/exit-status.md"], flags=re.MULTILINE)}
    raised = {
        kind.exit_status for kind in vars(errors).values() if isinstance(kind, type) and "exit_status" in dir(kind)
    }
    assert told == raised | {0, stress_command.INCONCLUSIVE}


def test_figures_are_those_of_the_page() -> None:
    """Quoted is what docs/performance.json holds, and nothing that is in doubt there."""
    document = load_document(ROOT / "docs" / "performance.json")
    quotes = [text for texts in CONSOLES.values() for text in texts if text.startswith(f"$ {UNTESTED}")]
    assert quotes
    for quote in quotes:
        only = re.match(r"\$ pvperf bench hypercall --only '(.*)'\n", quote)
        assert only
        groups = [group for group in document.groups if group.name == f"hypercall, {only[1]}"]
        assert quote[only.end() :] == document_table(replace(document, groups=groups))
        assert not of_everything(document.warnings)
        assert doubts(groups[0], document.seed) == {}


def test_no_other_figure_of_speed_is_quoted() -> None:
    """Outside of what commands print, which is not measured against anything."""
    prose = "".join(re.sub(r"```.*?```", "", text, flags=re.DOTALL) for text in PAGES.values())
    assert re.findall(r"[\d,.]+ ?(?:[nuµm]s|[kMG]/s|[a-z]+ a second)\b", prose) == []


def test_commands_exist() -> None:
    assert all(shutil.which(str(ROOT / script)) for script in ("scripts/demo", "scripts/test", "scripts/check"))


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    pictures = re.findall(r'(?:src|srcset)="([^"]+)"', PAGES[name])
    for target in [*pictures, *re.findall(r"\]\(([^)#]+)[^)]*\)", PAGES[name])]:
        if not target.startswith("https://"):
            assert (ROOT / name).parent.joinpath(target).exists(), target


def test_every_picture_is_shown_in_the_light_and_in_the_dark_and_is_small() -> None:
    shown = [re.findall(r'srcset="([^"]+)"><img src="([^"]+)" alt="[^"]{20,}"', page) for page in PAGES.values()]
    pairs = {(Path(dark).name, Path(light).name) for page in shown for dark, light in page}
    assert sorted(name for pair in pairs for name in pair) == sorted(path.name for path in PICTURES)
    assert all(dark == light.replace(".png", "-dark.png") for dark, light in pairs)
    for picture in PICTURES:
        data = picture.read_bytes()
        assert data.startswith(b"\x89PNG")
        assert len(data) < 150_000


def test_the_index_has_every_page() -> None:
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert set(re.findall(r"\]\((\w[\w-]*\.md)\)", PAGES["docs/README.md"])) == pages


def test_the_readme_is_short() -> None:
    assert len(PAGES["README.md"].splitlines()) <= 130
