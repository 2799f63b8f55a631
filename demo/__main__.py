"""Serves the page on this machine alone: `python -m demo`."""

import argparse
import os
from pathlib import Path
from typing import Any

from experiments.lab.worker import TENSORFLOW

# Before anything is imported that reads them: nothing is told to anybody.
os.environ.update(TENSORFLOW, GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1")

HOST = "127.0.0.1"
LARGEST_REQUEST = 1_000_000  # bytes; a drawing is a few thousand


def main() -> None:
    """Reads the command line, opens the page and serves until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m demo", description="Draw, and look inside a trained network.")
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="FOLDER", help="default: results")
    parser.add_argument("--port", type=int, metavar="N", help="default: the first free one from 7860")
    asked = parser.parse_args()

    from starlette.middleware import Middleware

    from demo import networks, page
    from experiments.lab import devices

    devices.one_thread()
    shelf = networks.Shelf([asked.results, networks.KEPT])
    blocks = page.build(shelf)
    _, url, _ = blocks.launch(
        server_name=HOST,
        server_port=asked.port,
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
    blocks.block_thread()


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
    main()
