"""Who may speak to the page: pages of this address alone, with files that are not too large."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Call = Callable[..., Awaitable[Any]]
NAMES = ("127.0.0.1", "localhost")
POLICY = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'none'; form-action 'self'"
FOREIGN = ("cross-site", "same-site")  # what browsers say of a request that a page of another origin made
HEADERS = {"content-security-policy": POLICY, "x-frame-options": "DENY", "x-content-type-options": "nosniff"}


class Guard:
    """ASGI middleware that refuses requests and sockets by other names than the page's own (a foreign site whose name was
    pointed at this machine), those that a page of another origin makes, and bodies beyond `most` bytes; it tells the browser
    to load and send nothing elsewhere, and to show the page in no frame."""

    def __init__(self, app: Call, port: int, most: int) -> None:
        self.app, self.most = app, most
        self.hosts = {f"{name}:{port}" for name in NAMES} | set(NAMES if port == 80 else ())  # browsers leave :80 out

    async def __call__(self, scope: Scope, receive: Call, send: Call) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        if status := self.refused(scope, headers):
            return await refuse(scope, receive, send, status)

        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                extra = [(k.encode(), v.encode()) for k, v in HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", []), *extra]}
            await send(message)

        return await self.app(scope, receive, guarded)

    def refused(self, scope: Scope, headers: dict[str, str]) -> int:
        """The status to refuse with; 0 for what is welcome."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if host not in self.hosts or (origin is not None and origin != f"http://{host}"):
            return 403
        if (
            headers.get("sec-fetch-site") in FOREIGN and headers.get("sec-fetch-dest") != "document"
        ):  # a link may lead here
            return 403
        if scope["type"] == "http" and scope["method"] == "POST":
            length = headers.get("content-length", "")
            if not length.isdigit():
                return 411
            return 413 if int(length) > self.most else 0
        return 0


async def refuse(scope: Scope, receive: Call, send: Call, status: int) -> None:
    """Say no: to a request by its status, to a socket by closing it before it opens."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
