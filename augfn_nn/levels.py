"""Modules of levels: windows, standard scores, histograms; of volumes as of images."""

from __future__ import annotations

from typing import Any

import augfn as af
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.shorthands import around


@derive(af.intensity_window, p=1.0)
def IntensityWindow(
    low: Range = 0.5, high: Range = 99.5, unit: str = "percentile", out: Any = (0.0, 1.0), cut: bool = True
) -> Any:
    """Map the window from `low` to `high`, percentiles or with `unit`="value" intensities, to `out`; numbers are fixed."""
    return {"low": low, "high": high, "unit": unit, "out": out, "cut": cut}


@derive(af.zscore, p=1.0)
def ZScore(nonzero: bool = False) -> Any:
    """Standard scores of each channel, with `nonzero` of what is not 0."""
    return {"nonzero": nonzero}


@derive(af.histogram_shift)
def RandomHistogramShift(shift: Range = 0.4) -> Any:
    """Bend the scale of each channel at 8 inner points, a number is ±, in distances of points."""
    return {"shift": around(shift)}


@derive(af.equalize3d)
def RandomEqualize3D(*, grad: str = "none") -> Any:
    """Make the histogram of every channel of a volume uniform."""
    return {"grad": grad}
