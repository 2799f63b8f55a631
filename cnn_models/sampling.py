"""The public module of the samplings, of which rules are made; see `cnn_models.analysis.geometry.sampling`."""

from cnn_models.analysis.geometry.sampling import Groups, Mirrored, Resampling, Sampling, Transposed, Window, same

__all__ = ["Groups", "Mirrored", "Resampling", "Sampling", "Transposed", "Window", "same"]
