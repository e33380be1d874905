# SPDX-License-Identifier: GPL-2.0-only
"""What kernels and initrds are packed with: known by how they begin, as the kernel knows it (lib/decompress.c)."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

from emulator.errors import Unsupported, UsageError

_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\x5d\x00\x00": "lzma",
    b"\xfd7zXZ": "xz",
    b"\x89LZO": "lzo",
    b"\x02\x21\x4c\x18": "lz4",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_LZ4_BLOCK_BYTES = 8 << 20  # of the legacy format, which the kernel uses: at most, unpacked
_ZSTD_WINDOW_BYTES = 1 << 31  # of any kernel


def packer(data: bytes) -> str:
    """The name of what has packed it; empty if that is not known, or it is not packed."""
    return next((name for magic, name in _MAGIC.items() if data.startswith(magic)), "")


def unpack(data: bytes, *, most: int) -> bytes:
    """What was packed, whatever follows it; of one that has more, the first `most` bytes.

    UsageError if it is damaged or cut short, Unsupported without what can unpack it: sentences about "it".
    """
    name = packer(data)
    if name not in _UNPACK:
        raise Unsupported(f"is packed by {name or 'something unknown'}, and pvperf cannot unpack that")
    try:
        return _UNPACK[name](data, most)
    except (OSError, EOFError, ValueError, RuntimeError, zlib.error, lzma.LZMAError) as error:
        raise UsageError(f"is damaged: its {name} data cannot be unpacked ({error})") from None


def _by(make: Callable[[], Any]) -> Callable[[bytes, int], bytes]:
    """With a decompressor of the standard library."""

    def unpack_by(data: bytes, most: int) -> bytes:
        decompressor = make()
        found: bytes = decompressor.decompress(data, most)
        if not decompressor.eof and len(found) < most:
            raise EOFError("it ends too early")
        return found

    return unpack_by


def _package(name: str, module: str) -> ModuleType:
    """Neither has a place in the standard library of every Python that pvperf runs on."""
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError:
        raise Unsupported(f"is packed by {name}: pip install {module.partition('.')[0]}") from None


def _zstd(data: bytes, most: int) -> bytes:
    zstandard: Any = _package("zstd", "zstandard")
    try:
        unpacking = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES).stream_reader(data)
        found: bytes = unpacking.read(most)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None
    return found


def _lz4(data: bytes, most: int) -> bytes:
    """The legacy frame: blocks, each behind its size, until there is no more, or a size of 0."""
    block: Any = _package("lz4", "lz4.block")
    at, found = 4, bytearray()
    while at + 4 <= len(data) and len(found) < most:
        size = int.from_bytes(data[at : at + 4], "little")
        if not size:
            break
        if size > len(data) - at - 4:
            raise EOFError("it ends too early")
        try:
            found += block.decompress(data[at + 4 : at + 4 + size], uncompressed_size=_LZ4_BLOCK_BYTES)
        except block.LZ4BlockError as error:
            raise ValueError(str(error)) from None
        at += 4 + size
    return bytes(found[:most])


_UNPACK: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _by(lambda: zlib.decompressobj(wbits=31)),
    "bzip2": _by(bz2.BZ2Decompressor),
    "lzma": _by(lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE)),
    "xz": _by(lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ)),
    "lz4": _lz4,
    "zstd": _zstd,
}
