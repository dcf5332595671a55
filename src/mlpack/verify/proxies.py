"""Proxies: do they answer, by HTTPS with their certificate where they have a domain, and is plain HTTP sent there?"""

from __future__ import annotations

import time

from mlpack.client.http import Answer as Heard
from mlpack.client.http import open_client, send
from mlpack.client.message import Message
from mlpack.client.wait import wait
from mlpack.errors import VerifyError
from mlpack.launchers.base import Instance
from mlpack.launchers.certificates import domain_of
from mlpack.servers import SERVERS
from mlpack.units import show_duration
from mlpack.verify.run import Answer, Run

DEADLINE_S = 30.0
"""From start: a proxy loads nothing, but Caddy makes keys first."""
ASK_S = 5.0
UPSTREAM_GONE = (502, 503, 504)
"""What a proxy says while it reaches nobody; anything else is its upstream's word."""
REDIRECTS = (301, 302, 307, 308)


def proxy_ready(run: Run, instance: Instance) -> Answer | tuple[str, ...]:
    """Wait until proxy ``instance`` passes answers on; the failure, or evidence. Other services need no waiting."""
    if SERVERS[run.service(instance).server].FACTS.role != "proxy" or instance.url is None:
        return ()

    def not_ready() -> str | None:
        return _not_ready(run, instance)

    def gone() -> str | None:
        state = instance.state()
        return None if state.running else f"it ended with exit code {state.exit_code}"

    try:
        wait(not_ready, DEADLINE_S, what=instance.name, gone=gone)
    except VerifyError as error:
        cause = run.cause(instance)
        return Answer("failed", error.what, cause.evidence, error.hint or cause.hint)
    took = show_duration(time.monotonic() - instance.started_s)
    name = domain_of(run.plan, instance.service)
    how = f"by HTTPS as {name}, certificate checked" if name else "by plain HTTP"
    redirected = _redirect(run, instance)
    if isinstance(redirected, Answer):
        return redirected
    return (f"{instance.name}: answers {how} ({took} after its start)", *redirected)


def _not_ready(run: Run, instance: Instance) -> str | None:
    assert instance.url is not None
    if domain_of(run.plan, instance.service) and instance.url not in run.asking().trusted:
        trust = instance.trust()
        if trust is None:
            return "it has no certificate yet"
        run.asking().trusted[instance.url] = trust
    heard = _get(run, instance.url)
    if heard.broken is not None:
        return heard.broken
    return f"status {heard.status}" if heard.status in UPSTREAM_GONE else None


def _redirect(run: Run, instance: Instance) -> Answer | tuple[str, ...]:
    """Plain HTTP must lead to the same path by HTTPS; nothing to say where it is not served."""
    if instance.plain_url is None:
        return ()
    name = domain_of(run.plan, instance.service) or ""
    heard = _get(run, instance.plain_url, host=name)
    wanted = f"https://{name}/"
    if heard.status in REDIRECTS and heard.location == wanted:
        return (f"{instance.name}: plain HTTP is sent to {wanted} ({heard.status})",)
    has = heard.broken or f"status {heard.status}, location {heard.location}"
    return Answer("failed", f"{instance.name}: plain HTTP is not sent to {wanted}", (has,))


def _get(run: Run, url: str, host: str | None = None) -> Heard:
    headers = (("Connection", "close"), *((("Host", host),) if host else ()))
    with open_client(trusted=run.asking().trusted) as client:
        return send(client, url, Message("GET", "/", headers, b""), ASK_S)
