"""Whose word counts for a service with a certificate: one authority for one address, and no other for it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True)
class Trust:
    """A service is asked at 127.0.0.1, but bears a name: ``name`` is what it must prove, ``pem`` who may vouch for it
    (its own certificate, or the local authority's)."""

    name: str
    pem: str
    port: int = 443
    """The port that users see, which stands in the Host header where it is not HTTPS's own."""

    @property
    def host(self) -> str:
        """The Host header that a user's browser would send."""
        return self.name if self.port == 443 else f"{self.name}:{self.port}"


def mounts(trusted: Mapping[str, Trust], limits: httpx.Limits) -> dict[str, httpx.BaseTransport | None]:
    """For httpx: base URL -> a transport that takes this certificate there and nothing else.

    Raises ssl.SSLError (a ValueError is never raised) where ``pem`` is no certificate.
    """
    import httpx

    class Named(httpx.HTTPTransport):
        """Asks for ``name`` in the TLS handshake and the Host header, whatever address is dialled."""

        def __init__(self, trust: Trust) -> None:
            super().__init__(verify=context(trust), trust_env=False, limits=limits)
            self._trust = trust

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            request.extensions = {**request.extensions, "sni_hostname": self._trust.name}
            request.headers["Host"] = self._trust.host
            return super().handle_request(request)

    return {url: Named(trust) for url, trust in trusted.items()}


def context(trust: Trust) -> ssl.SSLContext:
    """Full checks, name and dates included; the given certificate itself is enough, also where it is no authority."""
    made = ssl.create_default_context(cadata=trust.pem)
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return made
