"""The page: one Gradio tab for each kind of drawing, each a canvas and what networks make of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from demo.answers import Digits, Doodles, Edges, with_errors
from demo.networks import Shelf

HERE = Path(__file__).parent
# No font, style or script from another host.
THEME = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
CSS = "@media (max-width: 900px) { .gradio-container .app, .gradio-container .tabitem { padding: 4px !important; } }"
TITLE = "Look inside a trained network"


def build(shelf: Shelf) -> gr.Blocks:
    """The page over a shelf of networks."""
    digits, doodles, edges = Digits(shelf), Doodles(shelf), Edges(shelf)
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as page:
        with gr.Tab("Digits"):
            _tab("digits", [digits.networks, digits.look, digits.unit])
        with gr.Tab("Doodles"):
            _tab("doodles", [doodles.networks, doodles.recognise, doodles.example])
        with gr.Tab("Edges to digit"):
            _tab("edges", [edges.networks, edges.picture])
    return page


def _tab(name: str, calls: list[Callable[[Any], dict[str, Any]]]) -> None:
    """A tab from `static/NAME.html` and `NAME.js`, whose script can make these calls."""
    scripts = (_text("drawing.js"), _text("maps.js"), _text(f"{name}.js"))
    gr.HTML(
        html_template=_text(f"{name}.html"),
        css_template=_text("page.css"),
        js_on_load="\n".join(scripts),
        server_functions=[with_errors(call) for call in calls],
    )


def _text(file: str) -> str:
    return (HERE / "static" / file).read_text(encoding="utf-8")
