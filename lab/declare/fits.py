"""What a run can be on which data set: decided from what is known of both, before anything starts."""

from collections.abc import Mapping, Sequence
from typing import Any

from cnn_models.zoo import MODELS
from lab.declare.experiment import Experiment
from lab.declare.outline import Outline
from lab.declare.recipe import Training, block_side
from lab.declare.run import flat
from lab.errors import UsageError

NEED_ARRAYS = ("canvas", "examples", "steps_per_epoch", "random_labels")  # a number for every training picture
MOST_NAMED = 8  # rows that a message names


def refusal(experiment: Experiment, settings: Any, dataset: Outline) -> str | None:
    """Why a row with these settings cannot be on this data set; None where it can."""
    if experiment.in_memory and dataset.stored:
        return f"{experiment.name} needs its pictures in memory, and {dataset.name} stays in files"
    if reason := experiment.takes.refusal(experiment.name, dataset.shape, dataset.classes):
        return reason
    return recipe_refusal(settings, dataset) if isinstance(settings, Training) else None


def recipe_refusal(training: Training, dataset: Outline) -> str | None:
    """Why a recipe cannot be followed on this data set; None where it can."""
    if dataset.stored:
        settings = flat(training)
        for name in NEED_ARRAYS:
            if name in settings:
                return f"{dataset.name} stays in files, so a recipe with {name} cannot be trained on it"
        if training.splits == "final":
            return f"{dataset.name} stays in files, so its training and validation pictures cannot be joined"
    height, width, channels = dataset.shape
    canvas = training.view.canvas
    if canvas and canvas.object_side:  # pictures are scaled before anything else is done to them
        height = width = canvas.object_side
    for alteration in (training.view.alteration, *training.measures.test_alterations):
        if alteration and (reason := alteration_refusal(alteration, (height, width, channels))):
            return reason
    named = training.measures.error_of
    if named and named not in dataset.names:
        return f"{dataset.name} has no class '{named}'"
    if training.view.grey:
        if channels not in (1, 3):
            return f"pictures of {channels} channels have no luminance"
        channels = 1
    if canvas:
        if max(height, width) > canvas.side:
            return f"pictures of {height}×{width} pixels do not fit on a canvas of {canvas.side}×{canvas.side}"
        height = width = canvas.side
    return MODELS[training.model].takes.refusal(training.model, (height, width, channels), dataset.classes)


def alteration_refusal(name: str, shape: tuple[int, int, int]) -> str | None:
    """Why pictures of this height, width and number of channels cannot be altered so; None where they can."""
    height, width, channels = shape
    if side := block_side(name):
        return f"blocks of {side} pixels do not divide {height}×{width}" if height % side or width % side else None
    if name == "permuted_channels":
        return None if channels == 3 else f"only three channels have other orders, not {channels}"
    return None if channels in (1, 3) else f"pictures of {channels} channels have no luminance"


def refuse(experiment: Experiment, rows: Mapping[str, Any], dataset: Outline) -> None:
    """Refuses a call of which some rows cannot be on a data set.

    Args:
        experiment: theirs.
        rows: settings by the row's name.
        dataset: what is known of the data set.

    Raises:
        UsageError: it names the rows that cannot be, the reason of the first, and the rows that can.
    """
    refusals = {name: refusal(experiment, settings, dataset) for name, settings in rows.items()}
    wrong = [name for name, reason in refusals.items() if reason]
    if not wrong:
        return
    right = [name for name in rows if name not in wrong]
    advice = f" These rows can: VARIANTS={','.join(right)}." if 0 < len(right) <= MOST_NAMED else ""
    advice = advice or (" Leave these rows out (VARIANTS names the others)." if right else " Choose another data set.")
    raise UsageError(
        f"{experiment.name} on {dataset.name}: {_listed(wrong)} cannot be run. {refusals[wrong[0]]}.{advice}"
    )


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:MOST_NAMED])
    return ", ".join(shown) + (f" and {len(names) - len(shown)} more" if len(names) > len(shown) else "")
