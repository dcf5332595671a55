"""Writes samples/: a volume as .npy and .nii.gz, and the true mask and numbers, which the model has never seen."""

from pathlib import Path

import nibabel
import numpy
from backend.quantify import quantify
from backend.volumes import NPY_SPACING_MM
from phantom import knee

SAMPLES = Path(__file__).parent / "samples"


def main() -> None:
    SAMPLES.mkdir(exist_ok=True)
    image, mask = knee(1)
    numpy.save(SAMPLES / "knee.npy", image)
    numpy.save(SAMPLES / "knee-mask.npy", mask.astype(numpy.uint8))
    slices, rows, columns = NPY_SPACING_MM
    nifti = nibabel.Nifti1Image(image.transpose(2, 1, 0), numpy.diag([columns, rows, slices, 1]))
    nibabel.save(nifti, SAMPLES / "knee.nii.gz")
    large, _ = knee(2, (10, 192, 192))
    numpy.save(SAMPLES / "large.npy", large)
    print(quantify(mask, NPY_SPACING_MM), quantify(knee(2, (10, 192, 192))[1], NPY_SPACING_MM))


if __name__ == "__main__":
    main()
