# SPDX-License-Identifier: GPL-2.0-only
"""perf's names of cache events: one of several words for cache, operation and result, as in "l1d-read-miss"."""

from __future__ import annotations

import re

#: The word that perf prints, and the others that it takes for it.
_CACHES = {
    "L1-dcache": "l1-d|l1d|L1-data",
    "L1-icache": "l1-i|l1i|L1-instruction",
    "LLC": "L2",
    "dTLB": "d-tlb|Data-TLB",
    "iTLB": "i-tlb|Instruction-TLB",
    "branch": "branches|bpu|btb|bpc",
    "node": "",
}
_OPERATIONS = {
    "load": "loads|read",
    "store": "stores|write",
    "prefetch": "prefetches|speculative-read|speculative-load",
}
_RESULTS = {"access": "refs|Reference|ops|access", "misses": "misses|miss"}


def _meanings(words: dict[str, str]) -> dict[str, str]:
    return {word: name for name, others in words.items() for word in (name, *others.split("|")) if word}


_CACHE_OF, _OPERATION_OF, _RESULT_OF = map(_meanings, (_CACHES, _OPERATIONS, _RESULTS))
_WORDS = "|".join(map(re.escape, sorted([*_OPERATION_OF, *_RESULT_OF], key=len, reverse=True)))
_NAME = re.compile(f"({'|'.join(map(re.escape, _CACHE_OF))})(?:-({_WORDS}))?(?:-({_WORDS}))?")


def canonical_cache_name(name: str) -> str:
    """As perf prints it, "L1-dcache-load-misses"; what is not said is a load, and an access. Empty: no such name."""
    match = _NAME.fullmatch(name)
    if match is None:
        return ""
    words = [word for word in match.groups()[1:] if word]
    operations = [_OPERATION_OF[word] for word in words if word in _OPERATION_OF]
    results = [_RESULT_OF[word] for word in words if word in _RESULT_OF]
    if len(operations) > 1 or len(results) > 1:
        return ""
    operation = operations[0] if operations else "load"
    if results == ["misses"]:
        return f"{_CACHE_OF[match[1]]}-{operation}-misses"
    return f"{_CACHE_OF[match[1]]}-{operation}{'es' if operation == 'prefetch' else 's'}"
