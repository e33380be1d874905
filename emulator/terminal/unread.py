# SPDX-License-Identifier: GPL-2.0-only
"""What has to be done although nobody may read any more what is said of it."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterator


class _Deaf(io.TextIOBase):
    """Stdout, until who reads it has gone (`| head`); then nothing."""

    def __init__(self) -> None:
        self._stdout = sys.stdout
        self.gone: BrokenPipeError | None = None

    def write(self, text: str) -> int:
        if not self.gone:
            self._try(lambda: self._stdout.write(text))
        return len(text)

    def flush(self) -> None:
        if not self.gone:
            self._try(self._stdout.flush)

    def _try(self, what: Callable[[], object]) -> None:
        try:
            what()
        except BrokenPipeError as error:
            self.gone = error


@contextlib.contextmanager
def to_the_end() -> Iterator[None]:
    """All that is in it is done; only then comes the BrokenPipeError of what was printed meanwhile."""
    deaf = _Deaf()
    with contextlib.redirect_stdout(deaf):
        yield
    deaf.flush()
    if deaf.gone:
        raise deaf.gone
