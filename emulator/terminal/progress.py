# SPDX-License-Identifier: GPL-2.0-only
"""A line on a terminal that says how far a command is, how fast, and how long it takes yet; gone when it is done.

rich draws it, and is loaded for a command that takes long and whose stderr is a terminal, never else. There is no
thread behind it, since who forks workers must have none: it is drawn when the command says that time has passed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from emulator.terminal.counted import counted

#: A command that is done by then has no line.
_PATIENCE_SECONDS = 2.0
_REDRAW_SECONDS = 0.2
_BAR = 20


class Stand(NamedTuple):
    """How far it is: so many of `unit` are done, `share` (0 to 1) of the whole where that is known."""

    what: str
    done: int = 0
    unit: str = ""
    share: float | None = None
    more: str = ""


class Progress:
    """On stderr, if that is a terminal. A context manager, behind which the terminal is as it was."""

    def __init__(self, *, patience: float | None = None) -> None:
        self._possible = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._begin = time.monotonic()
        self._next = self._begin + (_PATIENCE_SECONDS if patience is None else patience)
        self._look: Callable[[], Stand] | None = None
        self._drawn: Any = None  # a rich.progress.Progress, while there is a line

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def restart(self) -> None:
        """What is said from now on began now: rate and time left are of that."""
        self._begin = time.monotonic()

    def watch(self, look: Callable[[], Stand]) -> None:
        """From now on the line is what this says."""
        self._look = look
        self.tick()

    def say(self, what: str, share: float | None = None) -> None:
        """The same for what does not change by itself."""
        self.watch(lambda: Stand(what, share=share))

    def tick(self) -> None:
        """Time has passed: draws the line anew, if it is due. To be called often."""
        if self._possible and self._look and (now := time.monotonic()) >= self._next:
            self._next = now + _REDRAW_SECONDS
            with _undisturbed():
                self._draw(self._look(), now - self._begin)

    def clear(self) -> None:
        """Takes the line away, before something is printed; the next tick may bring it back."""
        if self._drawn:
            with _undisturbed():
                self._drawn.stop()
                self._drawn = None

    def _draw(self, stand: Stand, elapsed: float) -> None:
        shown = {
            "description": stand.what,
            "completed": stand.share or 0,
            "total": None if stand.share is None else 1,
            "figures": figures(stand, elapsed),
        }
        if self._drawn:
            self._drawn.update(self._drawn.task_ids[0], refresh=True, **shown)
        else:
            self._drawn = _begin(shown)
            self._possible = self._drawn is not None


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C and its like wait: a line that was drawn in part could not be taken away."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def figures(stand: Stand, elapsed: float) -> str:
    """How much, how fast, how long yet."""
    parts = []
    if stand.unit and stand.done:
        parts += [counted(stand.done, stand.unit), f"{stand.done / max(elapsed, 1e-9):,.0f}/s"]
    if stand.more:
        parts.append(stand.more)
    if stand.share:
        parts.append(f"{_clock(elapsed * (1 - min(stand.share, 1)) / stand.share)} left")
    return ", ".join(parts)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _begin(shown: dict[str, Any]) -> Any:
    """The line; None if rich is not there, since that is no reason to end what takes long."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Rich
    except ImportError:
        return None
    text = [TextColumn(f"{{task.{name}}}", markup=False) for name in ("description", "fields[figures]")]
    console = Console(stderr=True, highlight=False)
    # What goes to stdout and stderr goes there, and not by rich, which would have it all on one of them.
    drawn = Rich(
        text[0],
        BarColumn(_BAR),
        text[1],
        console=console,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    drawn.add_task(**shown)
    drawn.start()
    console.show_cursor(True)  # also while it is drawn: Ctrl-Z or a kill leaves a terminal that can be used
    return drawn
