"""Which certificate counts for a proxy, and settings that ask no public authority."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.artifacts import write_files
from tests.planner.build import UVICORN
from tests.planner.build import plan as make_plan

from mlpack.errors import VerifyError
from mlpack.launchers.certificates import CADDY_ROOT, certificate, domain_of, local_caddyfiles
from mlpack.plan import Plan


def proxied(server: str, domain: str | None = "eyes.example.org", **more: Any) -> Plan:
    """A web service behind one proxy."""
    proxy = {"server": server, "to": "web", **({"domain": domain} if domain else {}), **more}
    return make_plan({"web": {**UVICORN, "models": []}, "proxy": proxy}, {}, build={"requirements": "r.txt"})


def test_nginx_shows_its_own_and_caddy_its_authoritys(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "proxy.crt").write_text("PEM")
    assert certificate(proxied("nginx"), "proxy", tmp_path, lambda _: None) == "PEM"
    asked: list[object] = []
    assert certificate(proxied("caddy"), "proxy", tmp_path, asked.append) is None, "not made yet"
    assert asked == [("cat", CADDY_ROOT)]
    with pytest.raises(VerifyError, match="certificate of proxy cannot be read"):
        certificate(proxied("nginx"), "proxy", tmp_path / "other", lambda _: None)


def test_only_a_proxy_with_a_domain_has_one() -> None:
    assert domain_of(proxied("nginx"), "proxy") == "eyes.example.org"
    assert domain_of(proxied("nginx", None), "proxy") is None
    assert domain_of(proxied("nginx"), "web") is None
    assert domain_of(proxied("nginx"), "mlpack-folders") is None


def test_a_trial_asks_no_public_authority(tmp_path: Path) -> None:
    plan = proxied("caddy")
    write_files(plan, tmp_path)
    found = local_caddyfiles(plan, tmp_path, tmp_path)
    text = found["proxy"].read_text()
    assert list(found) == ["proxy"]
    assert "{\n\tlocal_certs\n\tskip_install_trust\n\tadmin off\n" in text
    assert local_caddyfiles(proxied("caddy", "eyes.test"), tmp_path, tmp_path) == {}, "it asks none anyway"
    assert local_caddyfiles(proxied("nginx"), tmp_path, tmp_path) == {}
    caddy = shutil.which("caddy")
    if caddy is not None:
        argv = [caddy, "validate", "--adapter", "caddyfile", "--config", str(found["proxy"])]
        subprocess.run(argv, check=True, capture_output=True)
