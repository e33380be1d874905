#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only
# A gdb stub that describes its registers may leave whole features out, but not a register of one: with `org.gnu.gdb.i386.segments` that
# has fs_base and no gs_base, gdb 13.1 drops the whole description ("Architecture rejected target-supplied description"), takes the
# `g` packet for its built-in layout, finds it too short, and has no registers at all. Without the feature everything works.
set -euo pipefail
work="$(mktemp -d)"
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq 'gdb=13.1*' >/dev/null
dpkg-deb -x gdb_*.deb .
usr/bin/gdb --version | head -1
cat >stub.py <<'PY'
"""A remote target that serves one gdb on a UNIX socket: argv is its path and the registers of the segments feature."""
import re
import socket
import sys

GENERAL = "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15".split()
CONTROL = "fctrl fstat ftag fiseg fioff foseg fooff fop".split()
segments = sys.argv[2:]


def register(name: str, bits: int, kind: str) -> str:
    return f'<reg name="{name}" bitsize="{bits}" type="{kind}"/>'


core = [register(name, 64, "int64") for name in GENERAL]
core += [register("rip", 64, "code_ptr"), register("eflags", 32, "int32")]
core += [register(name, 32, "int32") for name in ("cs", "ss", "ds", "es", "fs", "gs")]
core += [register(f"st{i}", 80, "i387_ext") for i in range(8)] + [register(name, 32, "int32") for name in CONTROL]
extra = "".join(register(name, 64, "int64") for name in segments)
if segments:
    extra = f'<feature name="org.gnu.gdb.i386.segments">{extra}</feature>'
description = (
    '<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target><architecture>i386:x86-64</architecture>'
    f'<feature name="org.gnu.gdb.i386.core">{"".join(core)}</feature>{extra}</target>'
)
values = bytes(16 * 8) + (0x401000).to_bytes(8, "little") + bytes(4 + 6 * 4 + 8 * 10 + 8 * 4 + 8 * len(segments))


def answer(packet: str) -> str:
    if packet.startswith("qSupported"):
        return "PacketSize=4000;qXfer:features:read+"
    if packet.startswith("qXfer:features:read:target.xml:"):
        offset, length = (int(number, 16) for number in packet.rsplit(":", 1)[1].split(","))
        return ("m" if offset + length < len(description) else "l") + description[offset : offset + length]
    if packet.startswith("m"):
        return "00" * int(packet.split(",")[1], 16)
    if packet[0] in "HTDk":
        return "OK"
    return {"g": values.hex(), "?": "T05thread:1;", "qC": "QC1", "qfThreadInfo": "m1", "qsThreadInfo": "l"}.get(packet, "")


with socket.socket(socket.AF_UNIX) as server:
    server.bind(sys.argv[1])
    server.listen()
    peer, _ = server.accept()
waiting = b""
while received := peer.recv(4096):
    waiting += received
    while found := re.search(rb"\$([^#]*)#..", waiting):
        waiting = waiting[found.end() :]
        text = answer(found[1].decode()).encode()
        peer.sendall(b"+$" + text + b"#%02x" % (sum(text) & 0xFF))
PY
ask() { # $@ registers of the segments feature
	rm -f socket
	python3 stub.py "$work/socket" "$@" &
	for _ in {1..100}; do [[ -S socket ]] && break || sleep 0.1; done
	timeout 60 usr/bin/gdb --data-directory=usr/share/gdb -q -nx -batch -ex "target remote $work/socket" -ex 'info registers rip' 2>&1 </dev/null || true
}
none="$(ask)" both="$(ask fs_base gs_base)" one="$(ask fs_base)"
for kind in none both one; do
	echo "segments: $kind: $(grep -E '^rip|rejected|Truncated|no registers' <<<"${!kind}" | tr '\n' ';')"
done
grep -q '^rip *0x401000' <<<"$none"
grep -q '^rip *0x401000' <<<"$both"
grep -q 'rejected target-supplied description' <<<"$one"
! grep -q '^rip' <<<"$one"
