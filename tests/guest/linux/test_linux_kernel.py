# SPDX-License-Identifier: GPL-2.0-only
"""The files of kernels: what is accepted, what is said of others, and what they are packed with."""

from __future__ import annotations

import bz2
import gzip
import importlib
import lzma
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_guest import Elf, Load
from tiny_kernel import GPA, TEXT, BzImage, bzimage, vmlinux, with_size

from emulator.errors import Unsupported, UsageError
from emulator.guest.linux import kernel, payload

CODE = bytes(range(48))
WHOLE = vmlinux(CODE)
MOST = 1 << 20


def lz4(data: bytes) -> bytes:
    """The legacy frame, in blocks that are shorter than the kernel's, as the last one is."""
    block = importlib.import_module("lz4.block")
    pieces = [block.compress(data[at : at + 100], store_size=False) for at in range(0, len(data), 100)]
    return b"\x02\x21\x4c\x18" + b"".join(struct.pack("<I", len(piece)) + piece for piece in pieces)


def zstd(data: bytes) -> bytes:
    packed: bytes = importlib.import_module("zstandard").ZstdCompressor().compress(data)
    return packed


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "xz": lambda data: lzma.compress(data, lzma.FORMAT_XZ, lzma.CHECK_CRC32),
    "lz4": lz4,
    "zstd": zstd,
}


def found(data: bytes) -> tuple[kernel.Kernel | None, kernel.Loadable | None]:
    """What is known of the file, and what is in it."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        what = kernel.find_kernel(file.fileno(), name="k")
        return what, kernel.load_kernel(file.fileno(), what) if what else None


@pytest.mark.parametrize("packer", PACKERS)
def test_a_bzimage_has_a_kernel_in_it(packer: str) -> None:
    packed = PACKERS[packer](WHOLE)
    data = packed if packer == "gzip" else with_size(packed, WHOLE)
    what, loadable = found(BzImage(data).image())
    assert what is not None
    assert loadable is not None
    assert (what.command_line_bytes, what.initrd_below) == (255, 1 << 31)
    (segment,) = loadable.segments
    assert (loadable.entry, loadable.end) == (GPA, GPA + 0x2000)
    assert bytes(segment.data[: len(CODE)]) == CODE


def test_a_kernel_need_not_be_packed() -> None:
    for data in (WHOLE, BzImage(WHOLE).image()):
        _, loadable = found(data)
        assert loadable is not None
        assert (loadable.entry, bytes(loadable.segments[0].data[: len(CODE)])) == (GPA, CODE)


def test_an_entry_may_be_where_it_is_linked() -> None:
    _, loadable = found(vmlinux(CODE, entry=TEXT + 16))
    assert loadable is not None
    assert loadable.entry == GPA + 16


@pytest.mark.parametrize("packer", PACKERS)
def test_unpacking_has_bounds(packer: str) -> None:
    data = PACKERS[packer](WHOLE * 100)
    assert payload.packer(data) == packer
    assert payload.unpack(data, most=MOST) == WHOLE * 100
    assert payload.unpack(data, most=50) == WHOLE[:50]
    with pytest.raises(UsageError, match=f"is damaged: its {packer} data cannot be unpacked"):
        payload.unpack(data[: len(data) // 2] if packer != "zstd" else data[:4] + b"\xff" * 40, most=MOST)


def test_what_cannot_be_unpacked_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unsupported, match="is packed by lzo, and pvperf cannot unpack that"):
        payload.unpack(b"\x89LZO", most=1)
    packed = {name: PACKERS[name](WHOLE) for name in ("lz4", "zstd")}
    monkeypatch.setattr(importlib, "import_module", missing)
    for name, package in (("lz4", "lz4"), ("zstd", "zstandard")):
        with pytest.raises(Unsupported, match=f"is packed by {name}: pip install {package}"):
            payload.unpack(packed[name], most=1)


def missing(name: str) -> Any:
    raise ImportError(name)


GZ = gzip.compress(WHOLE)
WRONG = {
    "32-bit": (BzImage(GZ, xloadflags=0), "is a 32-bit one, and the guest is x86-64"),
    "old": (BzImage(GZ, protocol=0x207), "has boot protocol 2.07, and 2.08 is the oldest that works"),
    "ancient": (BzImage(GZ, header_bytes=0x20), "has boot protocol 2.15, and 2.08"),
    "truncated": (BzImage(GZ, paragraphs=1 << 20), "is truncated: it has"),
    "short payload": (BzImage(GZ, payload_bytes=1 << 20), "is truncated: it has"),
    "no payload": (BzImage(GZ, payload_bytes=0), "is damaged: its setup header names no payload"),
    "arm64": (bytes(0x38) + b"ARM\x64" + bytes(64), "is one for arm64, and the guest is x86-64"),
    "riscv": (bytes(0x38) + b"RSC\x05" + bytes(64), "is one for RISC-V, and the guest is x86-64"),
    "arm": (bytes(0x24) + b"\x18\x28\x6f\x01" + bytes(64), "is one for 32-bit Arm"),
    "efi": (b"MZ\0\0zimg" + bytes(64), "is a packed EFI program"),
    "u-boot": (b"\x27\x05\x19\x56" + bytes(64), "is a U-Boot image"),
    "other system": (vmlinux(CODE, version=b"SomeBSD"), "is no Linux kernel, though it is linked as one"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_kernel_that_cannot_be_booted(name: str) -> None:
    data, said = WRONG[name]
    with pytest.raises(UsageError) as raised:
        found(data.image() if isinstance(data, BzImage) else data)
    assert str(raised.value).startswith(f"kernel 'k' {said}")


DAMAGED = {
    "not packed": (b"not packed at all", Unsupported, "the kernel is packed by something unknown"),
    "no ELF": (gzip.compress(b"no ELF file"), UsageError, "the kernel is damaged: what is packed in it is no ELF file"),
    "cut": (GZ[:40], UsageError, "the kernel is damaged: its gzip data cannot be unpacked (it ends too early)"),
    "arm64": (gzip.compress(vmlinux(CODE, machine=183)), UsageError, "the kernel is one for arm64"),
    "32-bit": (gzip.compress(vmlinux(CODE, machine=3, elf_class=1)), UsageError, "the kernel is one for 32-bit x86"),
    "headers": (gzip.compress(WHOLE[:100]), UsageError, "the kernel is truncated: its program headers"),
    "segment": (gzip.compress(WHOLE[:150]), UsageError, "the kernel is truncated: its segment at 0xffffffff81000000"),
    "more than memory": (gzip.compress(vmlinux(CODE, memory_bytes=8)), UsageError, "the kernel is truncated: its seg"),
    "entry": (gzip.compress(vmlinux(CODE, entry=1)), UsageError, "the kernel is damaged: its entry, 0x1, lies in no"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_payload_that_cannot_be_booted(name: str) -> None:
    data, error, said = DAMAGED[name]
    with pytest.raises(error) as raised:
        found(BzImage(data).image())
    assert str(raised.value).startswith(said)


def test_other_files_are_no_kernels() -> None:
    for data in (b"", b"text", Elf().image(), Elf(loads=(Load(), Load(gpa=0x20000))).image(), b"\x7fELF"):
        assert found(data) == (None, None)


def test_a_vmlinux_is_known_by_where_its_code_runs(tmp_path: Path) -> None:
    """For symbols, and for recordings."""
    for name, data in (("vmlinux", WHOLE), ("vmlinuz", bzimage(CODE)), ("guest", Elf().image())):
        (tmp_path / name).write_bytes(data)
    for name in ("vmlinux", "vmlinuz"):
        known = kernel.read_linux(tmp_path / name, name="k")
        assert known is not None
        assert known.path == str(tmp_path / name)
        segments = list(kernel.linked(kernel.unpacked(tmp_path / name)))
        assert [(each.gpa, each.offset, each.executable) for each in segments] == [(TEXT, 120, True)]
    with pytest.raises(UsageError, match="is no Linux kernel"):
        kernel.unpacked(tmp_path / "guest")
    assert kernel.read_linux(tmp_path / "guest", name="k") is None
    with pytest.raises(UsageError, match=r"cannot open guest .*none': No such file"):
        kernel.read_linux(tmp_path / "none", name="k")
