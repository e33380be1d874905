# SPDX-License-Identifier: GPL-2.0-only
"""The mutation run's data, and its table; the run itself is scripts/mutate's."""

from __future__ import annotations

from pathlib import Path

import pytest

from emulator.mutation import page
from emulator.mutation.mutations import Mutation, read

ROOT = Path(__file__).resolve().parents[2]


def test_the_mutations_fit_the_code() -> None:
    """Who changes such a line says how the new one is broken."""
    mutations = read()
    assert len(mutations) >= 100
    for mutation in mutations:
        before = (ROOT / mutation.file).read_text()
        changed = mutation.apply(before)
        lines = zip(before.splitlines(), changed.splitlines(), strict=True)
        assert sum(a != b for a, b in lines) == 1, mutation.name


@pytest.mark.parametrize(("old", "new"), [("b", "b"), ("a", "c"), ("x", "c"), ("b\n", "c")])
def test_what_is_no_change_of_one_line_is_refused(old: str, new: str) -> None:
    with pytest.raises(ValueError, match="name"):
        Mutation("name", "file", old, new, "").apply("a b\na")


def test_the_one_behind() -> None:
    assert Mutation("name", "file", "a", "c", "", behind="b").apply("a b\na") == "a b\nc"


def test_the_table_is_that_of_the_results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(page, "PAGE", tmp_path / "mutations.md")
    page.write(read(), page.load())
    assert (tmp_path / "mutations.md").read_text() == (ROOT / "docs/mutations.md").read_text()


def test_survivors_are_explained_one_by_one() -> None:
    results = page.load()
    survivors = [each for each in read() if each.name in results and not results[each.name]["caught_by"]]
    assert [each.name for each in survivors if not each.survives] == []
