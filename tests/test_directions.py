# SPDX-License-Identifier: GPL-2.0-only
"""Which room needs which: docs/architecture.md says it, a table for each folder of rooms, and sources do nothing else.

A room of C needs another one if it includes a header of it, or uses a function or a variable that is defined there; in
the core, whose VM is one struct with a part of every room in it, and in the explorer use alone counts. A room of Python
needs another one if it imports a module of it, be that within a function or by its name in a string.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cache, partial
from graphlib import CycleError, TopologicalSorter
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
            whole = [name if "/" in name and (ROOT / name).exists() else f"{folder}/{name}" for name in names]
            room, *needs = whole
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


def macros(text: str) -> set[str]:
    """With arguments, that this source defines."""
    return set(re.findall(r"^[ \t]*#\s*define\s+(\w+)\(", text, flags=re.MULTILINE))


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
        if any(ROOT / each in path.parents for each in (folder, *LINKED[folder])):
            for name in defined(text)[0] if path.suffix == ".c" else defined(text)[1] | macros(text):
                ret[name].add(room_of(path))
    return ret


def closest(rooms: set[str], room: str) -> set[str]:
    """Of several rooms that define a name, those meant by this one: itself, or its neighbours, or all."""
    if room in rooms:
        return {room}
    return {other for other in rooms if Path(other).parent == Path(room).parent} or rooms


def c_edges(folder: str, *, by_use_alone: bool = False) -> Edges:
    ret: Edges = {}
    for path, text in c_sources().items():
        room = room_of(path)
        if not room.startswith(folder + "/"):
            continue
        needs = ret.setdefault(room, set())
        # From the file itself: without_comments() has emptied the names.
        included = re.findall(r'^\s*#\s*include "([^"]+)"', path.read_text(), flags=re.MULTILINE)
        if not by_use_alone:
            needs.update(f"native/{Path(name).parent}" for name in included if "/" in name)
        for name in used(text, path.suffix == ".h") - defined(text)[1] - macros(text):
            needs.update(closest(definers(folder).get(name, set()), room))
        needs.discard(room)
    return ret


def file_edges(folder: str) -> Edges:
    """Of sources, each with its header: whose functions and variables they use."""
    texts = {path: text for path, text in c_sources().items() if ROOT / folder in path.parents}
    homes = {name: path.stem for path, text in texts.items() if path.suffix == ".c" for name in defined(text)[0]}
    ret: Edges = defaultdict(set)
    for path, text in texts.items():
        names = used(text, path.suffix == ".h") - defined(text)[1]
        ret[path.stem].update({homes[name] for name in names & homes.keys()} - {path.stem})
    return ret


@pytest.mark.parametrize("folder", ["native/core", "native/explore"])
def test_no_sources_use_each_other(folder: str) -> None:
    check_no_circle(file_edges(folder), "uses")


# ---- What modules of Python do. What one needs for its types alone is not looked at.


@cache
def modules() -> dict[str, Path]:
    """By name; a package is one by its __init__.py."""
    paths = sorted((ROOT / "emulator").rglob("*.py"))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def room_of_module(name: str) -> str:
    """A folder; straight in emulator/, what starts it all is not in one room with what all others need."""
    path = modules()[name]
    if path.parent != ROOT / "emulator":
        return room_of(path)
    return "emulator/" + (path.name if path.name in ("__main__.py", "start.py") else "*.py")


def imported(source: str) -> Iterator[str]:
    """All names of modules that it may import, and names of what is in one."""
    pending: list[ast.AST] = [ast.parse(source)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            pending += node.orelse
            continue
        pending += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"relative import of {node.module}: its room is not seen"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and re.fullmatch(r"emulator\.[\w.]+", str(node.value)):
            yield str(node.value)


@cache
def module_edges() -> Edges:
    ret: Edges = {}
    for name, path in modules().items():
        ret[name] = set()
        for one in imported(path.read_text()):
            while one and one not in modules():
                one = one.rpartition(".")[0]
            ret[name].update({one} - {"", name})
    return ret


def python_edges(folder: str) -> Edges:
    ret: Edges = {}
    for name, needs in module_edges().items():
        if needs or modules()[name].name != "__init__.py":
            room = room_of_module(name)
            ret.setdefault(room, set()).update({room_of_module(need) for need in needs} - {room})
    return ret


def check_no_circle(edges: Edges, verb: str) -> None:
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        pytest.fail(f" {verb} ".join(reversed(error.args[1])))


def test_no_modules_import_each_other() -> None:
    check_no_circle(module_edges(), "imports")


# ---- Both.

CHECKERS: dict[str, Callable[[str], Edges]] = {
    "emulator": python_edges,
    "native/core": partial(c_edges, by_use_alone=True),
    "native/engine": c_edges,
    "native/explore": partial(c_edges, by_use_alone=True),
}
#: Folders whose rooms do not have a direction yet.
NO_DIRECTION: set[str] = set()


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


def test_what_a_module_imports() -> None:
    text = """
from a import b
if TYPE_CHECKING:
    import types_alone
else:
    import c.d
def f():
    import e
    return import_module(f"emulator.g.{e}"), load("emulator.h"), "see emulator.i"
"""
    assert set(imported(text)) == {"a.b", "c.d", "e", "emulator.g.", "emulator.h"}


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
