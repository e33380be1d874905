# SPDX-License-Identifier: GPL-2.0-only
"""The result of a check."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from emulator.errors import PvperfError, explain, missing


class Finding(NamedTuple):
    """`state`: "ok"; "note", good to know and no obstacle; "bad", pvperf cannot work, or not truly, like this."""

    check: str
    state: Literal["ok", "note", "bad"]
    text: str


def guarded(check: Callable[[], Finding]) -> Finding:
    """What `check` finds, or that it failed."""
    name = check.__name__.removeprefix("check_").replace("_", " ")
    try:
        return check()
    except PvperfError as error:
        return Finding(name, "bad", str(error))
    except OSError as error:
        return Finding(name, "bad", explain(error))
    except ImportError as error:
        return Finding(name, "bad", missing(error))
    except Exception as error:
        return Finding(name, "bad", f"this check failed: {error!r}")
