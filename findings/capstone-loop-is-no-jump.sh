#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# Capstone puts every conditional jump of x86 into its group "jump", jrcxz and xbegin too, but not loop, loope and loopne: they are
# only in "branch_relative", where calls are as well. Whoever counts or splits at branches by the group "jump" misses them.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" --quiet --disable-pip-version-check install 'capstone==5.0.9'
"$work/venv/bin/python" - <<'PY'
import importlib.metadata

import capstone

decoder = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
decoder.detail = True
print("capstone", importlib.metadata.version("capstone"))
jumps = {}
for code in ("7400", "e300", "c7f800000000", "e800000000", "e200", "e100", "e000"):
    (instruction,) = decoder.disasm(bytes.fromhex(code), 0x1000)
    groups = sorted(instruction.group_name(group) for group in instruction.groups)
    jumps[instruction.mnemonic] = "jump" in groups
    print(f"{instruction.mnemonic:7} {', '.join(groups)}")
assert jumps["je"] and jumps["jrcxz"] and jumps["xbegin"] and not jumps["call"]
assert not (jumps["loop"] or jumps["loope"] or jumps["loopne"]), "it behaves differently now"
PY
