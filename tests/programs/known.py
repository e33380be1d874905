# SPDX-License-Identifier: GPL-2.0-only
"""Programs that are known to differ in a guest, each with the reason.

One that does not differ any more fails its test until it is taken out here.
"""

from __future__ import annotations

_FLAGS = "MXCSR's flags are not set"
_KNOWN = dict.fromkeys(
    (
        *("blas", "clusters", "decompose", "doubles", "fourier", "jpeg", "kd_tree", "mandelbrot", "matrix", "nbody"),
        *("newton", "rays"),
    ),
    _FLAGS,
) | {"extended": "x87: fprem, the precision of some results, and PE"}


def known_difference(name: str) -> str:
    """Why this one differs; empty if it does not."""
    return _KNOWN.get(name, "")
