"""Reads uploaded volumes: .npy and NIfTI-1 (.nii, .nii.gz), by what they are and not by their name."""

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy

MAX_SLICES, MAX_SIDE = 64, 192
"""What the worker's memory is planned for: mlpack.yaml's max_input is a batch of 8 such slices."""
NPY_SPACING_MM = (3.0, 0.5, 0.5)
"""Slice distance and pixel size where the file does not say: .npy has no header for them."""


class WrongType(ValueError):
    """The file is no volume of a kind that is read here."""


class Corrupt(ValueError):
    """It says that it is one, and is not."""


@dataclass(frozen=True)
class Volume:
    """Intensities as (slices, rows, columns) and the size of a voxel in millimetres along each."""

    voxels: numpy.ndarray
    spacing_mm: tuple[float, float, float]


def read_volume(path: Path) -> Volume:
    """The volume in ``path``. Raises WrongType and Corrupt, each with what is wrong with it."""
    with path.open("rb") as stream:
        head = stream.read(348)
    if head.startswith(b"\x93NUMPY"):
        return _checked(*_npy(path))
    if head.startswith(b"\x1f\x8b") or head[:4] in (b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c"):
        return _checked(*_nifti(path, packed=head.startswith(b"\x1f\x8b")))
    raise WrongType("neither .npy nor NIfTI (.nii, .nii.gz)")


def _npy(path: Path) -> tuple[numpy.ndarray, tuple[float, ...]]:
    try:
        # mapped: a size too large is seen before it is read
        found = numpy.load(path, allow_pickle=False, mmap_mode="r")
    except (ValueError, OSError, EOFError) as error:
        raise Corrupt(f"the .npy file cannot be read: {error}") from error
    return found, NPY_SPACING_MM


def _nifti(path: Path, *, packed: bool) -> tuple[numpy.ndarray, tuple[float, ...]]:
    import nibabel

    try:
        with gzip.open(path) if packed else path.open("rb") as stream:
            header = nibabel.Nifti1Header.from_fileobj(stream)
            shape, wanted = header.get_data_shape(), header.get_data_offset()
            _check_shape(shape)
            stream.seek(int(wanted))
            data = header.data_from_fileobj(stream)
    except (nibabel.spatialimages.HeaderDataError, nibabel.wrapstruct.WrapStructError, OSError) as error:
        raise Corrupt(f"the NIfTI file cannot be read: {error}") from error
    except (EOFError, zlib.error, ValueError, KeyError) as error:
        raise error if isinstance(error, Corrupt) else Corrupt(f"the NIfTI file cannot be read: {error}") from error
    # NIfTI counts columns first
    columns, rows, slices = (float(size) for size in header.get_zooms()[:3])
    return numpy.asarray(data).transpose(2, 1, 0), (slices, rows, columns)


def _checked(voxels: numpy.ndarray, spacing_mm: tuple[float, ...]) -> Volume:
    _check_shape(voxels.shape[::-1])
    if voxels.dtype.kind not in "iuf":
        raise Corrupt(f"its voxels are {voxels.dtype}, not numbers")
    if not all(0.01 < size < 100 for size in spacing_mm):
        raise Corrupt(f"its voxel size {spacing_mm} mm makes no sense")
    values = numpy.asarray(voxels, dtype=numpy.float32)
    if not numpy.isfinite(values).all():
        raise Corrupt("it holds values that are not finite")
    return Volume(values, (spacing_mm[0], spacing_mm[1], spacing_mm[2]))


def _check_shape(shape: tuple[int, ...]) -> None:
    """``shape`` with columns first."""
    if len(shape) != 3:
        raise Corrupt(f"it has {len(shape)} dimensions, not 3")
    columns, rows, slices = shape
    if not (1 <= slices <= MAX_SLICES and 16 <= rows <= MAX_SIDE and 16 <= columns <= MAX_SIDE):
        raise Corrupt(
            f"it has {slices} slices of {rows} x {columns}: at most {MAX_SLICES} of {MAX_SIDE} x {MAX_SIDE}, "
            "at least one of 16 x 16"
        )
