# SPDX-License-Identifier: GPL-2.0-only
"""What the agent is asked for: the code on top of guest RAM that counts and samples events for `stat` and `record`."""

from __future__ import annotations

from typing import NamedTuple


class Attr(NamedTuple):
    """An event that the agent opens on every vCPU: the fields of kvm_pv_perf_attr that it sets.

    Its group's leader is `behind_leader` attrs in front of it.
    """

    type: int
    config: int
    flags: int
    bp_type: int = 0
    bp_addr: int = 0
    bp_len: int = 0
    sample_period: int = 0
    sample_type: int = 0
    read_format: int = 0
    behind_leader: int = 0


class Recording(NamedTuple):
    """That samples are to be recorded: room for them on each vCPU, and how much call chain each has."""

    ring_bytes: int = 256 << 10  # a power of 2
    max_chain: int = 0  # return addresses, 0 to PV_SAMPLE_MAX_CHAIN
