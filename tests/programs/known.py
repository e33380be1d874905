# SPDX-License-Identifier: GPL-2.0-only
"""Programs that are known to differ in a guest, each with the reason.

One that does not differ any more fails its test until it is taken out here.
"""

from __future__ import annotations

from collections.abc import Iterator

from programs.building import MARCHES, Build

#: Why, which programs, and compiled for what.
_KNOWN = (
    (
        "MXCSR's flags are not set",
        "blas clusters decompose doubles fourier jpeg kd_tree mandelbrot matrix nbody newton rays",
        MARCHES,
    ),
    ("MXCSR's flags are not set", "halves", ("x86-64-v3",)),
    ("x87: fprem, the precision of some results, and PE", "extended", MARCHES),
    ("PCMPxSTRx finds what is ordered at wrong places", "strings_sse4", ("x86-64-v2", "x86-64-v3")),
)


def known_differences(name: str, build: Build) -> Iterator[str]:
    """Why this one differs."""
    return (reason for reason, names, marches in _KNOWN if name in names.split() and build.march in marches)
