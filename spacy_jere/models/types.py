"""Names for the numpy arrays of indices and scores; docstrings give their shapes."""

from typing import Any

from numpy.typing import NDArray

Array1d = NDArray[Any]
Array2d = NDArray[Any]
