"""Serves the page on this machine alone: `python -m demo`."""

import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.command import interrupts

if TYPE_CHECKING:
    from lab.command import options

HOST = "127.0.0.1"
LARGEST_REQUEST = 1_000_000  # bytes; a drawing is a few thousand


def parser() -> "options.Parser":
    """The arguments, with their help."""
    from lab.command import options

    top = options.Parser(prog="python -m demo", description="Draw, and look inside a trained network.")
    top.add_argument("--results", type=options.path, default=Path("results"), metavar="FOLDER", help="default: results")
    top.add_argument("--port", type=options.whole(1, 65_535), metavar="N", help="default: the first free one from 7860")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the command line, opens the page, serves until interrupted, and returns the exit code."""
    from lab.command import options
    from lab.errors import UsageError

    asked, rest = (known := parser()).parse_known_args(arguments)
    if rest:
        known.refuse(rest)
    try:
        serve(options.existing(asked.results), asked.port)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {options.reason(error)}", file=sys.stderr)
        return 2
    return 0


def serve(results: Path, port: int | None) -> None:
    """Serves the page over a results folder until it is interrupted.

    Raises:
        UsageError: the port cannot be had.
    """
    if port is not None:
        _refuse_taken(port)
    from lab.learn.surroundings import TENSORFLOW

    # Before anything is imported that reads them: nothing is told to anybody.
    os.environ.update(TENSORFLOW, GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1")
    from starlette.middleware import Middleware

    from lab.learn import startup

    startup.start_tensorflow()
    from demo import networks, page
    from lab.learn import devices

    devices.one_thread()
    blocks = page.build(networks.Shelf([results, networks.KEPT]))
    _, url, _ = blocks.launch(
        server_name=HOST,
        server_port=port,
        share=False,
        quiet=True,
        enable_monitoring=False,
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        footer_links=[],
        theme=page.THEME,
        css=page.CSS,
        app_kwargs={"middleware": [Middleware(drawings_only)]},
        prevent_thread_lock=True,
    )
    print(f"Open {url} (interrupt to stop)", flush=True)
    interrupts.end_by_exception()  # which Gradio waits for, to close its server
    blocks.block_thread()


def _refuse_taken(port: int) -> None:
    """Raises a UsageError where the port cannot be had: at once, not when all is loaded."""
    from lab.errors import UsageError

    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise UsageError(
            f"Port {port} cannot be had ({os.strerror(error.errno or 0)}); name another, or none."
        ) from error


def drawings_only(app: Any) -> Any:
    """ASGI middleware: refuses files, and what is too large to be a drawing, before it is read."""

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD") and not _small(scope):
            await send({"type": "http.response.start", "status": 413, "headers": []})
            await send({"type": "http.response.body", "body": b"too large, or a file"})
        else:
            await app(scope, receive, send)

    return guarded


def _small(scope: Any) -> bool:
    length = dict(scope["headers"]).get(b"content-length", b"")
    return length.isdigit() and int(length) <= LARGEST_REQUEST and not scope["path"].rstrip("/").endswith("/upload")


if __name__ == "__main__":
    interrupts.end_at_once()  # while the page is made
    sys.exit(main())
