"""Thread variables of libraries beside the runtime, found by a project's requirements: OMP_NUM_THREADS reaches none.

Each variable was seen to change what its library reports (OpenCV 5.0, SimpleITK 2.5, Numba 0.68, NumExpr 2.14,
joblib 1.6, Polars 2.1) or how many threads it starts (tokenizers 0.23).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mlpack.plan import Decided
from mlpack.runtimes.threads import decided_threads

LIBRARY_VARIABLES = {  # distribution -> variable and what it sets; proven in tests/runtimes/test_library_threads.py
    "opencv-python": ("OPENCV_FOR_THREADS_NUM", "OpenCV's pool"),
    "opencv-python-headless": ("OPENCV_FOR_THREADS_NUM", "OpenCV's pool"),
    "opencv-contrib-python": ("OPENCV_FOR_THREADS_NUM", "OpenCV's pool"),
    "opencv-contrib-python-headless": ("OPENCV_FOR_THREADS_NUM", "OpenCV's pool"),
    "simpleitk": ("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "ITK's filters"),
    "itk": ("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "ITK's filters"),
    "numba": ("NUMBA_NUM_THREADS", "Numba's parallel loops"),
    "numexpr": ("NUMEXPR_NUM_THREADS", "NumExpr's pool"),
    "scikit-learn": ("LOKY_MAX_CPU_COUNT", "joblib's workers where n_jobs=-1"),
    "joblib": ("LOKY_MAX_CPU_COUNT", "joblib's workers where n_jobs=-1"),
    "tokenizers": ("RAYON_NUM_THREADS", "the tokenizer's pool"),
    "transformers": ("RAYON_NUM_THREADS", "the tokenizer's pool"),
    "polars": ("POLARS_MAX_THREADS", "Polars' pool"),
}
_NAME = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_SEPARATORS = re.compile(r"[-_.]+")
_UPPER = re.compile(r"(===?|~=|<=|<)\s*v?(\d+)((?:\.\d+)*)")


def distribution(requirement: str) -> str | None:
    """The normalised distribution name of one requirements line; None for options, comments and URLs without a name."""
    match = _NAME.match(requirement)
    if match is None or "://" in requirement.split("@", maxsplit=1)[0]:
        return None
    return _SEPARATORS.sub("-", match.group(1)).lower()


def distributions(requirements: Sequence[str]) -> frozenset[str]:
    """All distributions named in ``requirements`` lines."""
    return frozenset(name for line in requirements if (name := distribution(line)) is not None)


def library_environment(requirements: Sequence[str], threads: int) -> dict[str, Decided[str]]:
    """Variables that give ``threads`` threads to each library of ``requirements`` that has a setting of its own."""
    if not requirements:
        return {}
    named = distributions(requirements)
    return {
        variable: decided_threads(threads, why)
        for package, (variable, why) in LIBRARY_VARIABLES.items()
        if package in named
    }


def major_version(requirements: Sequence[str], package: str) -> int | None:
    """The highest major version of ``package`` that the requirements admit; None where they set no upper bound.

    Reads ``==4.46``, ``~=4.40``, ``<=4.9``, ``<5``; the first bound of the first line that names the package.
    """
    for line in requirements:
        if distribution(line) != package:
            continue
        match = _UPPER.search(line.split(";", maxsplit=1)[0].split("#", maxsplit=1)[0])
        if match is None:
            continue
        operator, major, rest = match.groups()
        exclusive = operator == "<" and not rest.strip(".0")
        return int(major) - 1 if exclusive else int(major)
    return None
