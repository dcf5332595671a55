"""Which cells are in a mask, where, and how large: plain numbers for the page, the table and the file."""

import numpy as np

LEAST_PIXELS = 40
"""Smaller spots are noise of the network, not cells."""


def runs(mask: np.ndarray) -> np.ndarray:
    """Every horizontal run of true pixels as (row, first column, column after the last), in reading order."""
    padded = np.zeros((mask.shape[0], mask.shape[1] + 2), np.int8)
    padded[:, 1:-1] = mask
    change = np.diff(padded, axis=1)
    rows, first = np.nonzero(change == 1)
    after = np.nonzero(change == -1)[1]
    return np.stack([rows, first, after], axis=1)


def cells(mask: np.ndarray) -> list[dict[str, object]]:
    """Connected regions (8 neighbours) of at least LEAST_PIXELS, largest first.

    Each: ``area`` in pixels, ``centre`` (x, y) and ``box`` (left, top, right, bottom), and whether it is ``cut`` by
    the picture's edge, so that its area is not the cell's.
    """
    found = runs(mask)
    parent = list(range(len(found)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    above: list[int] = []
    row_at, this = -2, []
    for index, (row, first, after) in enumerate(found.tolist()):
        if row != row_at:
            above = this if row == row_at + 1 else []
            row_at, this = row, []
        for other in above:
            if found[other, 1] <= after and found[other, 2] >= first:
                parent[root(other)] = root(index)
        this.append(index)
    regions: dict[int, list[int]] = {}
    for index in range(len(found)):
        regions.setdefault(root(index), []).append(index)
    described = [_described(found[members], mask.shape) for members in regions.values()]
    large = [cell for cell in described if cell["area"] >= LEAST_PIXELS]
    return sorted(large, key=lambda cell: (-cell["area"], cell["centre"]))


def _described(members: np.ndarray, shape: tuple[int, int]) -> dict[str, object]:
    rows, first, after = members.T
    width = after - first
    area = int(width.sum())
    x = float((width * (first + after - 1) / 2).sum() / area)
    y = float((width * rows).sum() / area)
    left, top, right, bottom = int(first.min()), int(rows.min()), int(after.max()), int(rows.max()) + 1
    cut = left == 0 or top == 0 or right == shape[1] or bottom == shape[0]
    return {"area": area, "centre": [round(x, 1), round(y, 1)], "box": [left, top, right, bottom], "cut": cut}


def summary(mask: np.ndarray) -> dict[str, object]:
    """What the page shows of ``mask``: counts, covered share, mean and median area of whole cells, and all cells."""
    found = cells(mask)
    whole = [cell["area"] for cell in found if not cell["cut"]]
    return {
        "height": mask.shape[0],
        "width": mask.shape[1],
        "count": len(found),
        "cut": len(found) - len(whole),
        "covered": round(float(mask.mean()), 5),
        "mean_area": round(float(np.mean(whole)), 1) if whole else None,
        "median_area": round(float(np.median(whole)), 1) if whole else None,
        "cells": found,
    }
