"""The lecture's questions: a file an experiment, or a folder where it measures or draws things of its own.

A new one is found by its file and comes after these; `python -m experiments list` shows all.
"""

# The order of the lecture's slides, in which lists, help and report show them.
ORDER = (
    "compare-fc",
    "shift",
    "cat",
    "sample-efficiency",
    "weight-sharing",
    "relearning",
    "example-updates",
    "filters",
    "equivariance",
    "parameters",
    "colour",
    "filter-count",
    "gradients",
    "receptive-field",
    "stride-vs-pooling",
    "all-conv",
    "depth-sweep",
    "lenet",
    "speedrun",
    "photographs",
    "tune",
    "features",
    "enough-examples",
    "texture",
    "image-to-image",
    "quickdraw",
)
