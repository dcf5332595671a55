"""Libraries with thread settings of their own, found in requirements lines as people write them."""

from __future__ import annotations

import pytest

from mlpack.runtimes.libraries import distribution, library_environment, major_version


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("opencv-python-headless==4.10", "opencv-python-headless"),
        ("OpenCV_Python>=4 ; python_version > '3.8'", "opencv-python"),
        ("scikit.learn[all]~=1.4", "scikit-learn"),
        ("numba @ https://example.org/numba.whl", "numba"),
        ("https://example.org/numba.whl", None),
        ("--index-url https://example.org/simple", None),
        ("-r other.txt", None),
        ("# torch", None),
        ("", None),
    ],
)
def test_names_in_requirements(line: str, name: str | None) -> None:
    assert distribution(line) == name


def test_each_library_gets_its_own_variable() -> None:
    found = library_environment(("opencv-python-headless==4.10", "SimpleITK", "numba", "fastapi"), 2)
    assert {name: value.value for name, value in found.items()} == {
        "OPENCV_FOR_THREADS_NUM": "2",
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "2",
        "NUMBA_NUM_THREADS": "2",
    }


def test_nothing_to_set() -> None:
    assert library_environment(("fastapi", "uvicorn"), 2) == {}


@pytest.mark.parametrize(
    ("line", "major"),
    [
        ("transformers==4.46.3", 4),
        ("transformers~=4.40", 4),
        ("transformers>=4.40,<5", 4),
        ("transformers<5.0.0", 4),
        ("transformers<=4.9", 4),
        ("transformers<5.3", 5),
        ("transformers>=4.40", None),
        ("transformers", None),
        ("transformers>=4  # not <5", None),
        ("tokenizers==0.4", None),
    ],
)
def test_the_highest_major_version_admitted(line: str, major: int | None) -> None:
    assert major_version((line,), "transformers") == major
