# SPDX-License-Identifier: GPL-2.0-only
"""What of a VM's segment a Linux guest's platform takes, between the run pages and RAM (native/abi/platform.h)."""

from __future__ import annotations

from typing import Any

from emulator.vm.protocol import Launch

_PAGE = 4096


def shares_code(launch: Launch) -> bool:
    """Do several vCPUs tell each other what of RAM they have translated?"""
    return launch.linux is not None and launch.vcpus > 1


def platform_bytes(lib: Any, launch: Launch) -> int:
    """Bytes, a multiple of 4096: struct pv_platform, and struct pv_code_map if there is one; 0 for a bare guest."""
    if not launch.linux:
        return 0
    size: int = lib.PV_PLATFORM_BYTES
    if shares_code(launch):
        size += lib.PV_CODE_MAP_BYTES + lib.PV_CODE_MAP_BYTES_A_PAGE * (launch.ram_bytes // _PAGE)
    return (size + _PAGE - 1) // _PAGE * _PAGE
