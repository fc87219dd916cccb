"""What is released, tried as a stranger gets it: built, and used in fresh environments outside the repository.

    pip install -c constraints.txt '.[release]'
    python -m benchmarks.package [--find-links FOLDER] [--demo]

* The wheel and the source distribution are built (build), and the description and metadata checked (twine).
* The wheel is installed into an environment with torch and numpy alone: `import augfn, augfn_nn`, README's first example, and
  what the command `augfn` says of the extra that it lacks.
* There mypy, `--strict` and with torch's types, reads `tests/data/user_file.py`: only its wrong lines are errors.
* `--demo`: README's first command in a clone of the last commit. Its pictures are to be looked at: the folder is printed.

`--find-links` is handed to pip, for a build of torch that is on this disk.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.apart import ROOT

USER = ROOT / "tests" / "data" / "user_file.py"
ENVIRON = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}


def said(folder: Path, *command: str | Path, fails: bool = False) -> str:
    """What a command prints, run in a folder; it has to succeed, or with `fails` to fail."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=folder, env=ENVIRON)
    if bool(done.returncode) != fails:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}\nended with {done.returncode}")
    return done.stdout + done.stderr


def built(folder: Path) -> Path:
    """The wheel; the source distribution beside it."""
    said(folder, sys.executable, "-m", "build", "--outdir", folder, ROOT)
    files = sorted(folder.glob("augfn-*"))
    print(said(folder, sys.executable, "-m", "twine", "check", "--strict", *files).strip())
    for file in files:
        print(f"{file.name}: {file.stat().st_size / 1e3:,.0f} kB")
    return next(f for f in files if f.suffix == ".whl")


def bare(folder: Path, wheel: Path, links: list[str]) -> Path:
    """The Python of an environment with the wheel, and torch and numpy."""
    said(folder, sys.executable, "-m", "venv", "bare")
    python = folder / "bare" / "bin" / "python"
    said(folder, python, "-m", "pip", "install", "-q", *links, wheel)
    return python


def first_example() -> str:
    """README's first block of Python, without what it prints."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert block, "README has no example"
    return "\n".join(line[4:] for line in block.group(1).splitlines() if line[:4] in (">>> ", "... "))


def used(folder: Path, python: Path) -> None:
    said(folder, python, "-W", "error", "-c", "import augfn, augfn_nn")
    (folder / "example.py").write_text(first_example(), encoding="utf-8")
    said(folder, python, "example.py")
    print("README's first example runs with torch and numpy alone")
    print(said(folder, python.with_name("augfn"), "demo", fails=True).strip())


def typed(folder: Path, python: Path) -> None:
    (folder / USER.name).write_text(USER.read_text(encoding="utf-8"), encoding="utf-8")
    lines = USER.read_text(encoding="utf-8").splitlines()
    wrong = [i for i, line in enumerate(lines, 1) if "# wrong" in line]
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", python, USER.name]
    out = said(folder, *command, fails=True)
    errors = sorted({int(line.split(":")[1]) for line in out.splitlines() if ": error: " in line})
    if errors != wrong:
        raise SystemExit(f"errors are in lines {errors}, and should be in {wrong}:\n{out}")
    print(f"mypy --strict: {len(wrong)} mistakes of {len(wrong)} are found, and no other")


def demo(folder: Path) -> None:
    """README's first command in a fresh clone."""
    found = re.search(r"^python -m venv .*augfn demo$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert found, "README has no command that ends in `augfn demo`"
    said(folder, "git", "clone", "-q", ROOT, "clone")
    start = time.monotonic()
    print(said(folder / "clone", "bash", "-c", f"PATH={Path(sys.executable).parent}:$PATH; {found.group()}"))
    print(f"{found.group()}: {time.monotonic() - start:.0f} s in {folder / 'clone'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--find-links", help="a folder of wheels that are taken before the index's")
    parser.add_argument("--demo", action="store_true", help="README's first command too, in a fresh clone")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="augfn-package-"))
    links = ["--find-links", options.find_links] if options.find_links else []
    python = bare(folder, built(folder), links)
    used(folder, python)
    typed(folder, python)
    if options.demo:
        demo(folder)


if __name__ == "__main__":
    main()
