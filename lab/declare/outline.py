"""What is known of a data set before it is there."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Outline:
    """What is known of a data set before it is there.

    Attributes:
        name: the data set's name.
        shape: height, width and channels of one picture.
        classes: number of classes.
        size: pictures in the training split; None where only the files say it.
        stored: whether the training split stays in files, see `lab.data.stored`.
        names: the classes' names, where they are more than numbers.
    """

    name: str
    shape: tuple[int, int, int]
    classes: int
    size: int | None
    stored: bool = False
    names: tuple[str, ...] = ()
