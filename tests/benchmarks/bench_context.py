"""The repo map over a large tree: cold, warm from the cache, and in a long-lived process after one change.

    python tests/benchmarks/bench_context.py [TREE]

Without a tree: the Python sources of this interpreter's site-packages, at most 2,000 files.
"""

from __future__ import annotations

import hashlib
import resource
import sys
import sysconfig
import tempfile
import time
from itertools import islice
from pathlib import Path

from studio.context.index import TreeSitterIndex
from studio.domain.brief import parse_brief


def listing(tree: Path) -> list[tuple[str, str]]:
    found = (path for path in tree.rglob("*.py") if path.is_file())
    return [
        (path.relative_to(tree).as_posix(), hashlib.sha1(path.read_bytes()).hexdigest())  # noqa: S324 -- a blob id
        for path in islice(found, 2_000)
    ]


def main() -> None:
    tree = Path(sys.argv[1] if len(sys.argv) > 1 else sysconfig.get_paths()["purelib"])
    files = listing(tree)
    size = sum((tree / path).stat().st_size for path, _ in files)
    print(f"{len(files)} files, {size / 1e6:.1f} MB")
    with tempfile.TemporaryDirectory() as scratch:
        cache = Path(scratch) / "index.sqlite"
        brief = parse_brief("b", "Retry the request with backoff when the connection is reset.\n")

        def timed(what: str, index: TreeSitterIndex) -> None:
            started = time.perf_counter()
            length = len(index.repo_map(tree, files, 4_096, ()))
            print(f"{what:32} {(time.perf_counter() - started) * 1000:8.0f} ms  {length} characters")

        index = TreeSitterIndex(cache)
        timed("cold", index)
        timed("same process, unchanged", index)
        files[0] = (files[0][0], "changed")
        timed("same process, one file changed", index)
        timed("new index, cache", TreeSitterIndex(cache))
        for what in ("gather, full text cold", "gather, warm"):
            started = time.perf_counter()
            index.gather(brief, tree, files, 12_000, [])
            print(f"{what:32} {(time.perf_counter() - started) * 1000:8.0f} ms")
    print(f"peak resident memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
