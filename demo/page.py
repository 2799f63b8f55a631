"""The page: one Gradio tab for each kind of drawing, with a canvas and the results of networks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from demo import head
from demo.answers import Digits, Doodles, Edges, catch_errors
from demo.networks import NetworkStore
from demo.photographs import Photographs

HERE = Path(__file__).parent
# The page must not load fonts, styles or scripts from other hosts.
THEME = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
CSS = "@media (max-width: 900px) { .gradio-container .app, .gradio-container .tabitem { padding: 4px !important; } }"


def build(store: NetworkStore) -> gr.Blocks:
    """Builds the page."""
    digits, doodles, edges, photographs = Digits(store), Doodles(store), Edges(store), Photographs(store)
    with gr.Blocks(title=head.TITLE, analytics_enabled=False, fill_width=True) as page:
        with gr.Tab("Digits"):
            _tab("digits", [digits.networks, digits.look, digits.unit])
        with gr.Tab("Doodles"):
            _tab("doodles", [doodles.networks, doodles.recognise, doodles.example])
        with gr.Tab("Photographs"):
            _tab("photographs", [photographs.networks, photographs.sample, photographs.look, photographs.unit])
        with gr.Tab("Edges to digit"):
            _tab("edges", [edges.networks, edges.picture])
    return page


def _tab(name: str, calls: list[Callable[[Any], dict[str, Any]]]) -> None:
    """Adds a tab made of `static/NAME.html` and `static/NAME.js`; its script can call these functions."""
    scripts = (_text("drawing.js"), _text("maps.js"), _text(f"{name}.js"))
    gr.HTML(
        html_template=_text(f"{name}.html"),
        css_template=_text("page.css"),
        js_on_load="\n".join(scripts),
        server_functions=[catch_errors(call) for call in calls],
    )


def _text(file: str) -> str:
    return (HERE / "static" / file).read_text(encoding="utf-8")
