"""What of scipy.ndimage takes no traced arrays, and why."""

from __future__ import annotations

from ..source import Refusals

__all__ = ["REFUSALS"]

REFUSALS = Refusals()
REFUSALS.add(
    "it hands plain buffers to a function; write it with shifted copies of the image.",
    "generic_filter", "generic_filter1d", "vectorized_filter",
)  # fmt: skip
REFUSALS.add(
    "its gain is compiled; multiply by fourier_ellipsoid of an array of ones.", "fourier_ellipsoid"
)
REFUSALS.add(
    "its function runs on plain arrays; write it with masks, np.where(labels == k, x, 0).",
    "labeled_comprehension",
)
REFUSALS.add(
    "a count, or a map of integers, which has no derivative; call it on plain values.",
    "histogram", "label", "find_objects", "value_indices", "watershed_ift", "binary_closing",
    "binary_dilation", "binary_erosion", "binary_fill_holes", "binary_hit_or_miss",
    "binary_opening", "binary_propagation", "distance_transform_bf", "distance_transform_cdt",
)  # fmt: skip
