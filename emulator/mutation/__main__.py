# SPDX-License-Identifier: GPL-2.0-only
"""`python -m emulator.mutation`: tries the mutations one after the other, and writes the table."""

from __future__ import annotations

import argparse
import fnmatch
import sys
import tempfile
from pathlib import Path

from emulator.errors import PvperfError, UsageError
from emulator.mutation import checks, page
from emulator.mutation.mutations import Mutation, read
from emulator.mutation.tree import ROOT, Tree


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/mutate",
        description="Break one line of the C code at a time, in a copy, and look which check notices.",
        epilog="exit status: 0 all were noticed, or explained; 1 one was not; 2 usage; 7 a check fails by itself",
    )
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="mutations, by name or pattern (default: all)")
    add("--missing", action="store_true", help="only those that docs/mutations.json has no result of, or that survived")
    add("--list", action="store_true", help="only list them")
    add("--page", action="store_true", help="only write docs/mutations.md anew, of the results that there are")
    add("--check", action="store_true", help="only see that each still fits the code")
    add("--tree", type=Path, metavar="DIR", help="keep the copy there: it need not be built again the next time")
    add("--unchecked", action="store_true", help="believe that every check holds of what is not broken")
    add("-v", "--verbose", action="store_true", help="what the check that noticed said")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Returns the exit status."""
    arguments = _arguments(argv)
    try:
        everything = read()
        chosen = _chosen(everything, arguments)
        if arguments.list:
            print(*(f"{each.name}: {each.breaks}" for each in chosen), sep="\n")
            return 0
        stale = [each for each in chosen if not _fits(each)]
        if arguments.check:
            return bool(stale)
        chosen = [each for each in chosen if each not in stale]
        if arguments.page:
            page.write(everything, page.load())
            return 0
        if arguments.tree:
            return _try_all(Tree(arguments.tree.resolve()), everything, chosen, arguments)
        with tempfile.TemporaryDirectory(prefix="pvperf-mutate-") as folder:
            return _try_all(Tree(Path(folder)), everything, chosen, arguments)
    except UsageError as error:
        print(f"mutate: {error}", file=sys.stderr)
        return 2
    except (PvperfError, OSError) as error:
        print(f"mutate: {error}", file=sys.stderr)
        return 7


def _chosen(everything: list[Mutation], arguments: argparse.Namespace) -> list[Mutation]:
    for pattern in arguments.names:
        if not any(fnmatch.fnmatch(each.name, pattern) for each in everything):
            raise UsageError(f"there is no mutation '{pattern}'")
    chosen = [
        each
        for each in everything
        if not arguments.names or any(fnmatch.fnmatch(each.name, p) for p in arguments.names)
    ]
    if arguments.missing:
        results = page.load()
        chosen = [each for each in chosen if not results.get(each.name, {}).get("caught_by")]
    return chosen


def _fits(mutation: Mutation) -> bool:
    """Says what the code has no longer: it has changed, and the data should be."""
    try:
        mutation.apply((ROOT / mutation.file).read_text())
    except (OSError, ValueError) as error:
        print(f"mutate: left out: {error}", file=sys.stderr)
        return False
    return True


def _prepare(tree: Tree, chosen: list[Mutation], *, unchecked: bool) -> None:
    """Built, and every check that is going to be used holds of what is not broken."""
    tree.copy()
    tree.build()
    for area in [] if unchecked else sorted({each.area for each in chosen}):
        outcome = checks.run(area, tree.folder, limited=False)
        print(f"nothing broken, {area}: {outcome.caught_by or 'held'} {outcome.seconds:.0f} s", flush=True)
        if outcome.caught_by:
            raise PvperfError(f"{outcome.caught_by} fails with nothing broken:\n{outcome.text}")


def _try_all(tree: Tree, everything: list[Mutation], chosen: list[Mutation], arguments: argparse.Namespace) -> int:
    _prepare(tree, chosen, unchecked=arguments.unchecked)
    survived = 0
    for mutation in chosen:
        outcome = _try(tree, mutation)
        explained = "explained" if mutation.survives else "SURVIVED"
        print(f"{mutation.name:<36} {outcome.caught_by or explained}  {outcome.seconds:.1f} s", flush=True)
        if arguments.verbose and outcome.caught_by:
            print(outcome.text)
        survived += not outcome.caught_by and not mutation.survives
        results = page.load()
        results[mutation.name] = {"caught_by": outcome.caught_by, "seconds": round(outcome.seconds, 1)}
        page.save(results)
        page.write(everything, results)
    print(f"{len(chosen)} tried, {survived} survived without an explanation")
    return survived > 0


def _try(tree: Tree, mutation: Mutation) -> checks.Outcome:
    tree.mutate(mutation)
    try:
        return checks.run(mutation.area, tree.folder)
    except checks.DoesNotBuild as error:
        raise UsageError(f"{mutation.name} does not compile:\n{error}") from error
    finally:
        tree.restore(mutation)


if __name__ == "__main__":
    sys.exit(main())
