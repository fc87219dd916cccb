"""The console script `augfn`: the commands, or one clear line where the extra that they need is not installed."""

from __future__ import annotations

import sys

EXTRA = ("PIL", "jinja2", "matplotlib", "pandas", "skimage", "sklearn", "tqdm", "typer", "yaml")


def main() -> None:
    """Run the command that the command line names."""
    try:
        from augfn.app.commands import app

        app()
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in EXTRA:
            raise
        sys.stderr.write(f"error: {error.name} is not installed: pip install 'augfn[demo]'\n")
        raise SystemExit(2) from None
