"""What a layer reads along one axis, under the name by which users import it; the code is in `analysis`."""

from cnn_models.analysis.sampling import Groups, Mirrored, Resampling, Sampling, Transposed, Window, same

__all__ = ["Groups", "Mirrored", "Resampling", "Sampling", "Transposed", "Window", "same"]
