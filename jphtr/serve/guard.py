"""Who may talk to the server, and what a browser may do with its answers.

A page of another site must not use a server that listens on somebody's own machine: neither by a name that it makes
point there (DNS rebinding: the Host is not one of ours) nor by sending a form (the Origin is not the Host).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[\w.-]+)(:\d{1,5})?")
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Guard:
    """Passes on what comes from this server's own page or from no page at all, and adds headers for browsers.

    Parameters
    ----------
    app : what is guarded.
    names : host names under which the server may be called, beside localhost and every bare address.
    """

    def __init__(self, app: ASGIApp, names: Collection[str] = ()) -> None:
        self.app = app
        self._names = {"localhost", *(name.lower() for name in names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store" if scope["method"] == "POST" else "no-cache")
            await send(message)

        line = self._refusal(Headers(scope=scope), scope["method"])
        app = JSONResponse({"error": line}, 403) if line else self.app
        await app(scope, receive, send_guarded)

    def _refusal(self, headers: Headers, method: str) -> str | None:
        """Why a request is not answered, or None."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return "this server is not called by that name; start it with --allow-host NAME"
        if method in ("GET", "HEAD", "OPTIONS"):
            return None
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != hosts[0].lower():
            return "pages of other sites may not use this server"
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return "pages of other sites may not use this server"
        return None

    def _is_ours(self, host: str) -> bool:
        found = _HOST.fullmatch(host.lower())
        if found is None:
            return False
        name = found["name"].strip("[]")
        if name in self._names:
            return True
        try:
            ip_address(name)  # a bare address cannot be rebound
        except ValueError:
            return False
        return True
