# SPDX-License-Identifier: GPL-2.0-only
"""The ACPI tables that say how many processors there are, each with a local APIC (ACPI 6.4, 5.2): RSDP, XSDT, MADT.

Without them Linux looks for its local APIC in memory, where there is none: the guest's are in x2APIC mode from the
start. There is no FADT and no DSDT, so that Linux has no ACPI beyond these.
"""

from __future__ import annotations

import struct

_OEM = b"PVPERF"
_TABLE = struct.Struct("<4sIBB6s8sI4sI")  # signature, length, revision, checksum, who made it
_RSDP_BYTES, _ALIGNED = 36, 64
_LOCAL_APIC_GPA = 0xFEE0_0000
_PCAT_COMPAT = 1  # there are two 8259A, too
_ENABLED = 1


def tables(gpa: int, vcpus: int) -> bytes:
    """All tables as they lie at `gpa`, where the RSDP is."""
    xsdt_at = gpa + _ALIGNED
    madt_at = xsdt_at + _ALIGNED
    apics = b"".join(struct.pack("<BBBBI", 0, 8, index, index, _ENABLED) for index in range(vcpus))
    madt = _table(b"APIC", 3, struct.pack("<II", _LOCAL_APIC_GPA, _PCAT_COMPAT) + apics)
    xsdt = _table(b"XSDT", 1, struct.pack("<Q", madt_at))
    return _rsdp(xsdt_at).ljust(_ALIGNED, b"\0") + xsdt.ljust(_ALIGNED, b"\0") + madt


def _rsdp(xsdt_at: int) -> bytes:
    first = bytearray(struct.pack("<8sB6sBI", b"RSD PTR ", 0, _OEM, 2, 0))
    first[8] = _missing(first)
    whole = first + struct.pack("<IQB3x", _RSDP_BYTES, xsdt_at, 0)
    whole[32] = _missing(whole)
    return bytes(whole)


def _table(signature: bytes, revision: int, body: bytes) -> bytes:
    length = _TABLE.size + len(body)
    whole = bytearray(_TABLE.pack(signature, length, revision, 0, _OEM, b"PVPERF  ", 1, b"PVPF", 1) + body)
    whole[9] = _missing(whole)
    return bytes(whole)


def _missing(data: bytes | bytearray) -> int:
    """What has to be added for all bytes to sum up to 0."""
    return -sum(data) & 0xFF
