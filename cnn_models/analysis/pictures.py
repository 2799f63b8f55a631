"""Pictures that a page can hold."""

from pathlib import Path

KINDS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp", ".gif": "gif"}
"""What browsers show, by the ending of the file's name."""


def check_picture(path: Path) -> None:
    """Refuses a file that is no picture.

    Raises:
        ValueError: it is not there, or of no kind that browsers show.
    """
    if path.suffix.lower() not in KINDS:
        raise ValueError(f"A picture's name ends in {', '.join(KINDS)}; got {path}.")
    if not path.is_file():
        raise ValueError(f"There is no picture {path}.")
