"""The rules of Keras's layers and operations (see `cnn_models.analysis.rules`), as one table of all families.

A rule says which units a layer reads, not with which weights. At inference, activations, dropout and batch
normalisation change nothing. Every activation function except softmax is assumed to work element by element.
"""

from collections.abc import Mapping
from typing import Any

from cnn_models.analysis.families import contractions, movement, pointwise, sequences, windows
from cnn_models.analysis.families.common import Sees

FAMILIES = (windows, movement, pointwise, contractions, sequences)
SEES: Mapping[Any, Sees] = {kind: rule for family in FAMILIES for rule, kinds in family.KINDS.items() for kind in kinds}
