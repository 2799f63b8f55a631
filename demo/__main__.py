"""`python -m demo`: serves the page to this machine only."""

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
    """The argument parser of `python -m demo`."""
    from lab.command import options
    from lab.command.arguments import RESULTS

    top = options.Parser(prog="python -m demo", description="Draw, and look inside a trained network.")
    RESULTS.add_to(top)
    top.add_argument(
        "--port",
        type=options.whole_number(1, 65_535),
        metavar="N",
        help="port of the page (default: the first free one from 7860)",
    )
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves the page until it is interrupted, and returns the exit code."""
    from lab.command import options
    from lab.errors import UsageError

    command_line = parser()
    args, rest = command_line.parse_known_args(arguments)
    if rest:
        command_line.refuse(rest)
    try:
        serve(options.existing_folder(args.results), args.port)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {options.system_message(error)}", file=sys.stderr)
        return 2
    return 0


def serve(results: Path, port: int | None) -> None:
    """Serves the page until it is interrupted.

    Args:
        results: folder whose trained networks the page offers, besides those kept with the suite.
        port: port to listen at; None: the first free one from 7860.

    Raises:
        UsageError: the port is in use or not allowed.
    """
    if port is not None:
        _refuse_taken(port)
    from lab.learn.surroundings import TENSORFLOW

    # Set before the libraries that read them are imported. No library may send usage data.
    os.environ.update(TENSORFLOW, GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1")
    from starlette.middleware import Middleware

    from lab.learn import startup

    startup.start_tensorflow()
    from demo import head, networks, page
    from lab.learn import devices

    devices.one_thread()
    blocks = page.build(networks.NetworkStore([results, networks.REFERENCE]))
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
        app_kwargs={"middleware": [Middleware(drawings_only), Middleware(head.own_head)]},
        prevent_thread_lock=True,
    )
    print(f"Open {url} (interrupt to stop)", flush=True)
    interrupts.end_by_exception()  # Gradio waits for this exception to close its server
    blocks.block_thread()


def _refuse_taken(port: int) -> None:
    """Checks the port before the slow imports.

    Raises:
        UsageError: the port is in use or not allowed.
    """
    from lab.errors import UsageError

    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise UsageError(
            f"Port {port} cannot be used ({os.strerror(error.errno or 0)}). Choose another port, or leave out --port."
        ) from error


def drawings_only(app: Any) -> Any:
    """ASGI middleware: answers 413 to file uploads and to requests too large for a drawing, without reading them."""

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD") and not _small(scope):
            await send({"type": "http.response.start", "status": 413, "headers": []})
            await send({"type": "http.response.body", "body": b"too large, or a file"})
        else:
            await app(scope, receive, send)

    return guarded


def _small(scope: Any) -> bool:
    """Whether a request has the size of a drawing and uploads no file."""
    length = dict(scope["headers"]).get(b"content-length", b"")
    return length.isdigit() and int(length) <= LARGEST_REQUEST and not scope["path"].rstrip("/").endswith("/upload")


if __name__ == "__main__":
    interrupts.end_at_once()  # until the page is served
    sys.exit(main())
