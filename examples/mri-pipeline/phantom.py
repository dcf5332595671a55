"""Knees that never were: a bone with a curved layer of cartilage on it, and the truth about where that is."""

import numpy

SHAPE = (16, 96, 96)


def knee(seed: int, shape: tuple[int, int, int] = SHAPE) -> tuple[numpy.ndarray, numpy.ndarray]:
    """A volume of uint8 intensities and its mask; (slices, rows, columns)."""
    draw = numpy.random.default_rng(seed)
    slices, rows, columns = shape
    z, y, x = numpy.meshgrid(*(numpy.arange(n, dtype=float) for n in shape), indexing="ij")
    # the bone's surface: an arch that becomes flatter towards the outer slices
    centre, height, reach = columns * draw.uniform(0.42, 0.58), rows * draw.uniform(0.3, 0.4), columns * 0.42
    bend = rows * draw.uniform(0.10, 0.18) * (1 - 0.5 * numpy.abs(z / max(1, slices - 1) - 0.5))
    surface = height + bend * ((x - centre) / reach) ** 2 * 2
    thick = draw.uniform(4.0, 7.0) * (1 - 0.5 * ((x - centre) / reach) ** 2)
    inside = numpy.abs(x - centre) < reach * draw.uniform(0.75, 0.95)
    mask = inside & (y >= surface - thick) & (y < surface)
    image = numpy.full(shape, 45.0)
    image[y >= surface] = 130.0  # bone
    image[y < surface - thick - 9] = 95.0  # muscle and fat
    image[mask] = 205.0
    fluid = (y < surface - thick) & (y > surface - thick - 3) & (numpy.abs(x - centre) < reach * 0.3)
    image[fluid] = 240.0  # as bright, and not cartilage
    image += draw.normal(0, 14, shape) + 12 * numpy.sin(x / columns * draw.uniform(2, 5))
    return image.clip(0, 255).astype(numpy.uint8), mask
