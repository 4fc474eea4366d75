"""Run one benchmark by name; its figures are one JSON object on the last line."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import sys

import benchmarks

os.environ.setdefault("OMP_NUM_THREADS", "1")


def main() -> int:
    """Parse the name, run `benchmarks.NAME.run(arguments)`, print JSON; returns an exit code."""
    names = sorted(
        m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_")
    )
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=names)
    parser.add_argument("--dir", help="folder of instances, where a benchmark takes one")
    parser.add_argument("--sizes", help="columns, such as 10000,30000, where one has sizes")
    parser.add_argument("--limit", type=float, help="wall seconds of a solve, where one has them")
    parser.add_argument("--redundancy", help="waived leaves promises out, where one has them")
    arguments = parser.parse_args()
    module = importlib.import_module(f"benchmarks.{arguments.name}")
    given = {"folder": arguments.dir, "sizes": arguments.sizes, "limit": arguments.limit}
    given["redundancy"] = arguments.redundancy
    options = {name: value for name, value in given.items() if value is not None}
    print(json.dumps(module.run(**options)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
