# SPDX-License-Identifier: GPL-2.0-only
"""Which room needs which: docs/architecture.md says it, a table for each folder of rooms, and sources do nothing else.

A room of C needs another one if it includes a header of it, or uses a function or a variable that is defined there.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/architecture.md"
Edges = dict[str, set[str]]

# ---- What the page says.


@cache
def tables() -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    """By folder: its rooms from top to bottom, each with what it needs; all as paths from the project's root."""
    section = PAGE.read_text().split("\n## Who needs whom\n")[1].split("\n## ")[0]
    ret: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for line in section.splitlines():
        names = re.findall(r"`([^`]+)`", line)
        if line.startswith("| of "):
            folder = names[0].rstrip("/")
            ret[folder] = []
        elif line.startswith("| `"):
            room, *needs = (name if "/" in name else f"{folder}/{name}" for name in names)
            ret[folder].append((room, tuple(needs)))
    return ret


# ---- What sources in C do. A room is a folder with sources in it; those below native/ are known by their whole path.


def room_of(path: Path) -> str:
    return path.parent.relative_to(ROOT).as_posix()


def without_comments(text: str) -> str:
    """Strings and characters are emptied, too."""
    token = re.compile(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
    return token.sub(lambda found: " " if found[0].startswith("/") else found[0][0] * 2, text)


def without_directives(text: str) -> str:
    return re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", "", text, flags=re.MULTILINE)


def outside_braces(text: str) -> str:
    """What stands in braces is left out: the braces are kept."""
    ret, depth = [], 0
    for part in re.split(r"([{}])", text):
        depth -= part == "}"
        if not depth:
            ret.append(part)
        depth += part == "{"
    return "".join(ret)


def defined(text: str) -> tuple[set[str], set[str]]:
    """Functions and variables that this source defines: for all to see, and for itself alone."""
    public: set[str] = set()
    own: set[str] = set()
    for piece in re.split(r"(?<=;)|(?<=\{\})", outside_braces(without_directives(text))):
        head = re.sub(r"__attribute__\s*\(\(.*?\)\)|_Static_assert\s*\(.*", "", piece, flags=re.DOTALL).strip()
        if re.match(r"(?:extern|typedef)\b", head):
            continue
        function = re.match(r"[\w\s*]*?\b(\w+)\s*\([^={]*\{\}", head, flags=re.DOTALL)
        variable = re.match(r"[\w\s*]+?\b(\w+)\s*(?:\[[^\]]*\]\s*)*(?:=|;)", head)
        found = function or variable
        if found and not re.match(r"(?:struct|union|enum)\b\s*\w*\s*\{", head):
            (own if re.search(r"\bstatic\b", head[: found.start(1)]) else public).add(found[1])
    return public, own


def used(text: str, header: bool) -> set[str]:
    """Names that may be those of functions and variables; of a header, only in what it executes itself."""
    if header:
        macros = "\n".join(re.findall(r"^[ \t]*#\s*define(?:\\\n|[^\n])*", text, flags=re.MULTILINE))
        bodies = re.findall(r"\)\s*\{(.*?)^\}", without_directives(text), flags=re.MULTILINE | re.DOTALL)
        text = "\n".join([macros, *bodies])
    return set(re.findall(r"(?<![.\w])(?<!->)[A-Za-z_]\w*", text))


@cache
def c_sources() -> dict[Path, str]:
    return {path: without_comments(path.read_text()) for path in sorted((ROOT / "native").rglob("*.[ch]"))}


#: Beside itself: what a folder is linked with. Other programs may have functions of the same names.
LINKED = {
    "native/engine": ("native/abi",),
    "native/core": ("native/abi",),
    "native/explore": ("native/abi", "native/core"),
}


@cache
def definers(folder: str) -> dict[str, set[str]]:
    """The rooms that define a name; several, if it is another one in another build."""
    ret: dict[str, set[str]] = defaultdict(set)
    for path, text in c_sources().items():
        if path.suffix == ".c" and any(ROOT / each in path.parents for each in (folder, *LINKED[folder])):
            for name in defined(text)[0]:
                ret[name].add(room_of(path))
    return ret


def closest(rooms: set[str], room: str) -> set[str]:
    """Of several rooms that define a name, those meant by this one: itself, or its neighbours, or all."""
    if room in rooms:
        return {room}
    return {other for other in rooms if Path(other).parent == Path(room).parent} or rooms


def c_edges(folder: str) -> Edges:
    ret: Edges = {}
    for path, text in c_sources().items():
        room = room_of(path)
        if not room.startswith(folder + "/"):
            continue
        needs = ret.setdefault(room, set())
        # From the file itself: without_comments() has emptied the names.
        included = re.findall(r'^\s*#\s*include "([^"]+)"', path.read_text(), flags=re.MULTILINE)
        needs.update(f"native/{Path(name).parent}" for name in included if "/" in name)
        for name in used(text, path.suffix == ".h") - defined(text)[1]:
            needs.update(closest(definers(folder).get(name, set()), room))
        needs.discard(room)
    return ret


# ---- Both.

CHECKERS: dict[str, Callable[[str], Edges]] = {
    "native/engine": c_edges,
}
#: Folders whose rooms do not have a direction yet.
NO_DIRECTION = {"native/engine"}


@pytest.mark.parametrize("folder", CHECKERS)
def test_rooms_need_what_the_page_says(folder: str) -> None:
    said = {room: set(needs) for room, needs in tables()[folder]}
    found = CHECKERS[folder](folder)
    assert set(said) == set(found)
    new = [f"{room} needs {need}" for room in found for need in sorted(found[room] - said[room])]
    gone = [f"{room} needs {need}" for room in found for need in sorted(said[room] - found[room])]
    assert not new, f"not in {PAGE.name}: {new}"
    assert not gone, f"in {PAGE.name} only: {gone}"


@pytest.mark.parametrize("folder", sorted(set(CHECKERS) - NO_DIRECTION))
def test_rooms_need_only_what_stands_below(folder: str) -> None:
    order = [room for room, _ in tables()[folder]]
    for at, (room, needs) in enumerate(tables()[folder]):
        up = [need for need in needs if need in order[: at + 1]]
        assert not up, f"{room} stands below what it needs: {up}"


def test_every_table_is_checked() -> None:
    assert set(tables()) == set(CHECKERS)


def test_what_a_source_defines() -> None:
    text = without_comments(
        """
        /* int commented(void) { } */
        int one(struct a *x)
        { if (x) { two(); } }
        static bool own(void) { return "three()"; }
        const struct design variable = { .field = one };
        static int hidden[3] = { 1 }, other;
        struct type { int member; };
        enum { VALUE };
        extern int elsewhere;
        int prototype(void);
        uint64_t table[2];
        EXPORTED void *four(int n) { }
        """
    )
    assert defined(text) == ({"one", "variable", "table", "four"}, {"own", "hidden"})
    assert {"two", "one"} <= used(text, header=False)
    assert not {"three", "commented", "field"} & used(text, header=False)
    assert used("int declared(void);\nstatic inline int f(void)\n{\n\treturn g();\n}\n", header=True) == {"return", "g"}
