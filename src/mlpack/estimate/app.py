"""What the app itself takes, by its requirements: the frameworks that they name, measured, and its own modules."""

from __future__ import annotations

from collections.abc import Sequence

from mlpack.footprint import Kind, Region
from mlpack.runtimes.base import RuntimeFacts
from mlpack.runtimes.libraries import distribution, distributions
from mlpack.units import MIB

UNKNOWN_ANONYMOUS_MIB, UNKNOWN_MAPPED_MIB = 40, 8
"""Planned at least where the requirements are not known, or name a package that is not in ``PACKAGES``."""
OWN_ANONYMOUS_MIB, OWN_MAPPED_MIB = 8, 2
"""The app's own modules, and what they import of the standard library: a guess; the bench's own apps take 2."""
PACKAGES: dict[str, tuple[int, int]] = {
    # distribution -> anonymous and mapped MiB beyond an interpreter that has imported http, json, asyncio, email and
    # ssl, and NumPy for those that use it; rounded up. Measured, Python 3.11: FastAPI 0.165 with a model and its
    # schema, Flask 3.1, Starlette 1.10, Django 5.2, aiohttp 3.14, pydantic 2.14, pandas 3.1, SciPy 1.17, Pillow 13,
    # OpenCV 5.0, requests 2.34, httpx 0.28, SQLAlchemy 2.1, redis 8.1.
    "fastapi": (17, 5),
    "flask": (10, 2),
    "starlette": (3, 1),
    "django": (16, 2),
    "aiohttp": (11, 4),
    "pydantic": (7, 5),
    "numpy": (7, 7),
    "pandas": (28, 11),
    "scipy": (47, 28),
    "pillow": (4, 4),
    "opencv-python": (4, 13),
    "opencv-python-headless": (4, 13),
    "requests": (6, 3),
    "httpx": (4, 1),
    "sqlalchemy": (20, 2),
    "redis": (9, 1),
    "python-multipart": (1, 1),
    "anyio": (0, 0),
}
"""FastAPI holds Starlette, pydantic and anyio."""
COUNTED_ELSEWHERE = frozenset({"gunicorn", "uvicorn", "celery", "safetensors", "tokenizers", "joblib"})
"""Servers, and what comes with a runtime."""
BROUGHT_BY = {"transformers": frozenset({"torch"})}
"""Runtimes that import another one's package."""


def app_regions(requirements: Sequence[str] | None, runtimes: Sequence[RuntimeFacts]) -> tuple[Region, ...]:
    """The app's anonymous and mapped memory in one process. ``requirements`` None: not known."""
    named = distributions(requirements or ())
    brought = COUNTED_ELSEWHERE.union(*(facts.packages for facts in runtimes))
    brought = brought.union(*(BROUGHT_BY.get(facts.name, ()) for facts in runtimes))
    own = sorted(named - brought)
    if "fastapi" in own:
        own = [name for name in own if name not in {"starlette", "pydantic", "anyio"}]
    known = [name for name in own if name in PACKAGES]
    unknown = [name for name in own if name not in PACKAGES]
    if runtimes:
        known = [name for name in known if name != "numpy"]  # every runtime's import holds it
    anonymous = OWN_ANONYMOUS_MIB + sum(PACKAGES[name][0] for name in known)
    mapped = OWN_MAPPED_MIB + sum(PACKAGES[name][1] for name in known)
    nameless = any(distribution(line) is None for line in requirements or ())  # -r base.txt, a URL
    whole = bool(requirements) and not unknown and not nameless
    what = f"{' + '.join(known)} and the app's own modules" if known else "the app's own modules"
    if not whole:
        anonymous, mapped = max(UNKNOWN_ANONYMOUS_MIB, anonymous), max(UNKNOWN_MAPPED_MIB, mapped)
        also = f"{', '.join(unknown[:3])}{' and more' if unknown[3:] else ''}" if unknown else "whatever it imports"
        what = f"{what}, with room for {also}"
    return (
        _region("app", "anonymous", anonymous * MIB, what),
        _region("app libraries", "mapped", mapped * MIB, what),
    )


def _region(name: str, kind: Kind, count: int, because: str) -> Region:
    return Region(
        name=name,
        stage="import",
        kind=kind,
        per="process",
        bytes=count,
        lower_bytes=0,
        source="default",
        because=because,
    )
