"""The head of the page: what others see of it where a link to it is shown, in the place of Gradio's own words."""

import html
import re
from collections.abc import MutableMapping
from typing import Any

TITLE = "Look inside a trained network"
DESCRIPTION = (
    "Draw a digit, a doodle or an outline, or choose a photograph, and see every layer of a convolutional network work."
)
SHARED = re.compile(rb'<meta\s+(?:property="og:|name="twitter:)[^>]*>\s*')
OURS = "".join(
    f'<meta {kind} content="{html.escape(content)}" />'
    for kind, content in (
        ('name="description"', DESCRIPTION),
        ('property="og:type"', "website"),
        ('property="og:title"', TITLE),
        ('property="og:description"', DESCRIPTION),
    )
).encode()


def own_head(app: Any) -> Any:
    """ASGI middleware: puts our title and description into pages of HTML."""

    async def rewriting(scope: Any, receive: Any, send: Any) -> None:
        started: list[MutableMapping[str, Any]] = []
        body = bytearray()

        async def ours(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start" and _is_page(message):
                started.append(message)
            elif started and message["type"] == "http.response.body":
                body.extend(message.get("body", b""))
                if not message.get("more_body"):
                    page = rewritten(bytes(body))
                    others = [pair for pair in started[0]["headers"] if pair[0].lower() != b"content-length"]
                    headers = [*others, (b"content-length", str(len(page)).encode())]
                    await send({**started[0], "headers": headers})
                    await send({"type": "http.response.body", "body": page})
            else:
                await send(message)

        await app(scope, receive, ours if scope["type"] == "http" and scope["method"] == "GET" else send)

    return rewriting


def rewritten(page: bytes) -> bytes:
    """A page with our description instead of all that Gradio says of itself."""
    return SHARED.sub(b"", page).replace(b"</head>", OURS + b"</head>", 1)


def _is_page(message: MutableMapping[str, Any]) -> bool:
    headers = dict(message["headers"])
    return headers.get(b"content-type", b"").startswith(b"text/html") and b"content-encoding" not in headers
