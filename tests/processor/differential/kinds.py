# SPDX-License-Identifier: GPL-2.0-only
"""Differences by kind: which instruction, in which form, and what is different."""

from __future__ import annotations

import re
from dataclasses import dataclass

from processor.differential.runner import Record

MAPS = ("one", "0f", "0f38", "0f3a", "x87", "vex1", "vex2", "vex3", "xop", "evex")
PP = ("", "66", "f3", "f2")
VECTORS = {
    0: "#DE", 1: "#DB", 3: "none", 4: "#OF", 5: "#BR", 6: "#UD", 7: "#NM", 8: "#DF", 10: "#TS", 11: "#NP", 12: "#SS",
    13: "#GP", 14: "#PF", 16: "#MF", 17: "#AC", 19: "#XM",
}  # fmt: skip
FLAGS = {
    0: "CF",
    2: "PF",
    4: "AF",
    6: "ZF",
    7: "SF",
    8: "TF",
    9: "IF",
    10: "DF",
    11: "OF",
    16: "RF",
    18: "AC",
    21: "ID",
}
CODE_END = "20002000"  # case.h
LENGTH_MOST, LENGTH_BEHIND_OPCODE = 15, 6  # bytes: of an instruction; of ModRM, SIB and a displacement
PORTS = {*range(0x6C, 0x70), *range(0xE4, 0xE8), *range(0xEC, 0xF0)}
LEGACY = re.compile(rb"^(?:[\x26\x2e\x36\x3e\x64-\x67\xf0\xf2\xf3\x40-\x4f])*")


@dataclass(frozen=True)
class Difference:
    """One case. `form` is what makes up its kind together with `what`."""

    number: int
    simplify: int
    form: str
    what: str
    ours: Record
    theirs: Record

    @property
    def kind(self) -> str:
        return f"{self.form}: {self.what}"


def _prefixes(code: bytes) -> str:
    """Those that make it another kind."""
    match = LEGACY.match(code)
    prefixes = match.group() if match else b""
    ret = []
    if 0xF0 in prefixes:
        ret.append("lock")
    if 0x66 in prefixes:
        ret.append("66")
    ret += [f"{byte:02x}" for byte in sorted({0xF2, 0xF3} & set(prefixes))]
    rex = [i for i, byte in enumerate(prefixes) if 0x40 <= byte < 0x50]
    if (rex and rex[-1] != len(prefixes) - 1) or len(rex) > 1:
        ret.append("rex-not-last")
    return "+".join(ret)


def form_of(case: dict[str, str]) -> str:
    """The instruction, as far as the kind of a difference goes: map, opcode, /reg, prefixes, memory or register."""
    code = bytes.fromhex(case["code0"])
    name, opcode = MAPS[int(case["map"], 16)], int(case["opcode"], 16)
    modrm, group = int(case["modrm"], 16), int(case["group"], 16)
    if case["offered"] == "0":
        return f"{name} not offered"
    if name == "one" and opcode in PORTS:
        return "one in or out"
    text = f"{name} {opcode:02x}"
    if group < 8:
        text += f"/{group}"
    if name.startswith("vex"):
        text += f" pp={PP[int(case['pp'], 16)]} l{case['l']}"
    prefixes = _prefixes(code)
    if prefixes:
        text += f" [{prefixes}]"
    if modrm < 0x100:
        text += " r" if modrm >= 0xC0 else " rip-relative" if modrm & 0xC7 == 5 else " m"
    return text


def _flag_names(bits: int) -> str:
    return ",".join(name for bit, name in FLAGS.items() if bits >> bit & 1)


def _kind_of_field(name: str) -> str:
    return re.sub(r"^(v|st)[0-9a-f]+$", r"\1", name) if not name.startswith("[") else "memory"


def _vector(number: int) -> str:
    """Those that are raised on the way out, at CPL 0, have 256 more."""
    return VECTORS.get(number & 0xFF, str(number & 0xFF)) + (" at CPL 0" if number >> 8 else "")


def what_of(ours: Record, theirs: Record) -> str:
    """What is different, by the names of fields; exceptions first."""
    if not theirs.after:
        return "ends the VM"
    a, b = ours.after, theirs.after
    if a["vector"] != b["vector"]:
        names = [_vector(int(each["vector"], 16)) for each in (a, b)]
        return f"vector {names[0]} is {names[1]}"
    found = []
    for name in a.keys() | b.keys():
        if a.get(name) == b.get(name) or name == "memoryhash":
            continue
        if name == "flags":
            found.append("flags " + _flag_names(int(a[name], 16) ^ int(b[name], 16)))
        elif name in ("rip", "error", "cr2", "mxcsr", "fcw", "fsw", "ftw"):
            found.append(name)
        elif _kind_of_field(name) in ("v", "st", "memory"):
            found.append(_kind_of_field(name))
        else:
            found.append("register")
    return " ".join(sorted(set(found))) or "memory"


def difference(ours: Record, theirs: Record) -> Difference | None:
    """None if there is none."""
    if theirs.after and ours.after == theirs.after:
        return None
    number, simplify = int(ours.case["number"], 16), int(ours.case["simplify"], 16)
    form, what = form_of(ours.case), what_of(ours, theirs)
    if (
        what in ("vector #GP is #UD", "vector #UD is #GP")
        and len(bytes.fromhex(ours.case["code0"])) > LENGTH_MOST - LENGTH_BEHIND_OPCODE
    ):
        form = "too long"
    elif any((each.get("vector"), each.get("cr2")) == ("e", CODE_END) for each in (ours.after, theirs.after)):
        form = "fetch behind the page's end"
    if "[lock" in form and (what.startswith("vector #UD") or not theirs.after):
        form = f"{form.split()[0]} [lock]"
    return Difference(number, simplify, form, what, ours, theirs)


def text_of(case: dict[str, str]) -> str:
    """As Capstone would write it; it does not know all of them."""
    import capstone  # not for a --help, which comes before anything is installed

    decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    for _, _, name, operands in decoder.disasm_lite(bytes.fromhex(case["code0"]), 0, 1):
        return f"{name} {operands}".strip()
    return "?"


def fields_that_differ(found: Difference) -> list[tuple[str, str, str]]:
    """Name, the processor's value, the guest's."""
    a, b = found.ours.after, found.theirs.after
    names = [name for name in [*a, *(name for name in b if name not in a)] if name != "memoryhash"]
    return [(name, a.get(name, "-"), b.get(name, "-")) for name in names if a.get(name) != b.get(name)]
