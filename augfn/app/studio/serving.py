"""Serving the page: on the loopback address alone, with nothing kept on disk."""

from __future__ import annotations

import socket
from typing import Any

from nicegui import app, ui
from starlette.formparsers import MultiPartParser

from augfn.app.studio.guard import Guard
from augfn.app.studio.opened import FILE, Item
from augfn.app.studio.page import Page
from augfn.app.studio.steps import Step
from augfn.core.augmentation import Augmentation
from augfn.errors import explain

HOST = "127.0.0.1"
KEPT = 5  # messages to a page whose connection was lost: pictures, which are large


def serve(items: list[Item], f: Augmentation | None, port: int, show: bool) -> None:
    """Serve the page until it is stopped, which begins with `f`. Raises OSError where the port is taken."""
    root = None if f is None else Step.whole(f)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            want, fix = "a port that is free", f"augfn studio --port {min(port + 1, 65535)}"
            raise OSError(explain("the page cannot be served", error.strerror or error, want, fix)) from None
    MultiPartParser.spool_max_size = FILE + 2**20  # uploads stay in memory
    app.add_middleware(Guard, port=port, most=FILE + 2**20)
    app.on_startup(lambda: print(f"augfn studio: http://{HOST}:{port} (Ctrl-C stops it)", flush=True))
    plain: dict[str, Any] = {
        "reload": False,
        "show_welcome_message": False,
        "tailwind": False,
        "dark": None,
        "language": "en-US",
    }
    kept = {"message_history_length": KEPT, "reconnect_timeout": 10.0}
    ui.run(lambda: Page(items, root) and None, host=HOST, port=port, title="augfn studio", show=show, **plain, **kept)
