"""Numbers from a mask: how much there is, and how thick it is."""

import numpy


def quantify(mask: numpy.ndarray, spacing_mm: tuple[float, float, float]) -> dict[str, float]:
    """Volume in millilitres, and mean and largest thickness in millimetres.

    Thickness is taken along the rows, which run across the layer in a sagittal slice: mask pixels of each column.
    """
    slice_mm, row_mm, column_mm = spacing_mm
    columns = mask.astype(bool).sum(axis=1)
    thick_mm = columns[columns > 0] * row_mm
    return {
        "volume_ml": round(float(mask.astype(bool).sum()) * slice_mm * row_mm * column_mm / 1000, 4),
        "thickness_mean_mm": round(float(thick_mm.mean()), 3) if thick_mm.size else 0.0,
        "thickness_max_mm": round(float(thick_mm.max()), 3) if thick_mm.size else 0.0,
    }
