"""What `import augfn` adds to `import torch, numpy`: seconds of a fresh process, and the modules that take them.

    python -m benchmarks.import_time [--rounds 9] [--most 0.15]

Process time, by turns, with compiled files as after any first import; the first round, which compiles them, is not counted.
The exit status is 1 above `--most` seconds. torch leaves Python's garbage collector just before a full collection of all that
torch has made, which falls into the import that follows, whichever it is: so the same is measured without it too.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys

from benchmarks.measure import table

BASE = "import torch, numpy"
SUBJECTS = {"augfn": f"{BASE}, augfn", "augfn_nn": f"{BASE}, augfn, augfn_nn"}
NO_GC = "import gc; gc.disable(); "
ENVIRON = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
CLOCK = "import time; start = time.process_time(); {}; print(time.process_time() - start)"


def seconds(imports: str) -> float:
    return float(run("-c", CLOCK.format(imports)).stdout)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True, env=ENVIRON)


def slowest(imports: str, count: int = 12) -> list[tuple[str, float]]:
    """The modules of a first import beside torch that take longest by themselves, in milliseconds."""
    code = f"{BASE}\nimport sys\nsys.stderr.write('since here\\n')\n{imports}"
    said = run("-X", "importtime", "-c", code).stderr.partition("since here")[2]
    lines = re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", said)
    return sorted(((name, int(own) / 1000) for own, name in lines), key=lambda pair: -pair[1])[:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--most", type=float, default=0.15, help="seconds that augfn may add")
    options = parser.parse_args()
    codes = [how + code for how in ("", NO_GC) for code in (BASE, *SUBJECTS.values())]
    rounds = [{code: seconds(code) for code in codes} for _ in range(options.rounds + 1)][1:]
    print(f"{BASE}: {statistics.median(r[BASE] for r in rounds):.2f} s")
    added = {}
    for name, code in SUBJECTS.items():
        added[name], bare = (statistics.median(r[how + code] - r[how + BASE] for r in rounds) for how in ("", NO_GC))
        print(f"{name} adds {added[name]:.3f} s, {bare:.3f} s without the garbage collector")
    print(table(("module", "ms of its own"), [(name, f"{ms:.1f}") for name, ms in slowest("import augfn")]))
    raise SystemExit(added["augfn"] > options.most)


if __name__ == "__main__":
    main()
