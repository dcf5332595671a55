"""A form read from start to end without database and model, for `mlpack estimate --measure`."""

import os
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("SECRET_KEY", "nothing is signed here")
django.setup()

from django.conf import settings  # noqa: E402

from forms import pdf, tasks  # noqa: E402, F401 - all that a task imports counts


def rehearse(path: str) -> int:
    """How many characters of ``path`` go to the model."""
    return len(pdf.read(Path(__file__).parent.parent / path, settings.ALLOWED_PAGES).text)
