"""The stand-in project of verify's tests."""

from __future__ import annotations

from tests.verify.conftest import fake_project

__all__ = ["fake_project"]
