"""Ports, targets and devices."""

from __future__ import annotations

import pytest
from tests.planner.build import GUNICORN, UVICORN, plan

from mlpack.errors import DoesNotFit, SpecError

PROXY = {"server": "caddy", "to": "web"}


def test_the_proxy_faces_the_user() -> None:
    made = plan({"web": GUNICORN, "proxy": PROXY, "queue": {"server": "redis"}})
    published = {name: service.publish for name, service in made.services.items()}
    assert published == {"web": None, "proxy": 80, "queue": None}


def test_a_proxy_that_fetches_certificates_listens_for_https() -> None:
    made = plan({"web": GUNICORN, "proxy": {**PROXY, "domain": "shop.example.org"}})
    assert (made.services["proxy"].port, made.services["proxy"].publish) == (443, 443)
    assert plan({"web": GUNICORN, "proxy": {**PROXY, "domain": "a.org", "port": 8443}}).services["proxy"].port == 8443


def test_a_redirect_is_planned_and_takes_its_port() -> None:
    proxy = {"server": "nginx", "to": "web", "domain": "shop.example.org"}
    made = plan({"web": UVICORN, "proxy": proxy})
    assert (made.services["proxy"].publish, made.services["proxy"].redirect_port) == (443, 80)
    assert made.services["web"].redirect_port is None
    assert plan({"web": UVICORN, "proxy": {**proxy, "publish": 8443}}).services["proxy"].redirect_port is None
    with pytest.raises(SpecError, match="proxy and page both want host port 80"):
        plan({"web": UVICORN, "proxy": proxy, "page": {**UVICORN, "publish": 80}})


def test_without_a_proxy_apps_do() -> None:
    made = plan({"web": GUNICORN, "queue": {"server": "redis", "publish": 6400}})
    assert {name: service.publish for name, service in made.services.items()} == {"web": 8000, "queue": 6400}


def test_two_services_on_one_host_port() -> None:
    with pytest.raises(SpecError, match="web and api both want host port 8000"):
        plan({"web": GUNICORN, "api": GUNICORN})


def test_replicas_need_a_proxy() -> None:
    with pytest.raises(SpecError, match="2 replicas of web cannot share host port 8000"):
        plan({"web": {**GUNICORN, "replicas": 2}})
    assert plan({"web": {**GUNICORN, "replicas": 2}, "proxy": PROXY}).services["web"].cpus.value == 2


def test_a_card_that_is_not_there() -> None:
    with pytest.raises(DoesNotFit, match=r"web asks for a gpu, but this host has no NVIDIA card \(no card\)"):
        plan({"web": {**GUNICORN, "device": "gpu"}})
