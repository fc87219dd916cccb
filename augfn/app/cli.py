"""The console script `augfn`: the commands, or one clear line where the extra that they need is not installed."""

from __future__ import annotations

import sys

OF = {"apply": "offline", "studio": "studio", "tune": "tune"}  # the extras of commands; those of the others are in demo
EXTRAS = {
    "demo": ("PIL", "jinja2", "matplotlib", "pandas", "scipy", "skimage", "sklearn", "tqdm", "typer", "yaml"),
    "tune": ("optuna", "plotly"),
    "offline": ("pyarrow", "pycocotools", "shapely", "webdataset"),
    "ray": ("ray",),
    "studio": ("nicegui",),
}


def main() -> None:
    """Run the command that the command line names."""
    if hasattr(sys.stdout, "reconfigure"):  # the name of a file that a console has no letters for
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        from augfn.app.commands import app

        app()
    except ImportError as error:
        root = (error.name or "").split(".")[0]
        extra = next((extra for extra, names in EXTRAS.items() if root in names), None)
        if extra is None:
            raise
        if extra == "demo":
            extra = OF.get(next(iter(sys.argv[1:]), ""), extra)
        sys.stderr.write(f"error: {root} is not installed: pip install 'augfn[{extra}]'\n")
        raise SystemExit(2) from None
