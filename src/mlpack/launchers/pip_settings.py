"""How this machine reaches its packages, as a build must be told: pip's index and wheels, proxies."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "FTP_PROXY")
"""Build arguments that every builder knows without an ARG line, in both cases."""
FORWARDED = {
    "index-url": "PIP_INDEX_URL",
    "extra-index-url": "PIP_EXTRA_INDEX_URL",
    "trusted-host": "PIP_TRUSTED_HOST",
}
SECTIONS = ("global", "install", ":env:")
"""Of `pip config list`, weakest first."""


@dataclass(frozen=True)
class BuildNetwork:
    """What a build is told about the network, and what has to be said aloud about it."""

    args: dict[str, str]
    wheels: str | None = None
    """A folder of wheels: the build's named context ``wheels``."""
    said: tuple[str, ...] = ()


def parse_config(text: str) -> dict[str, str]:
    """Settings of `pip config list` by their plain names; later sections win."""
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        section, dot, name = key.rpartition(".")
        if equals and dot and section in SECTIONS:
            words = shlex.split(value)
            found.setdefault(section, {})[name] = words[0] if words else ""
    merged: dict[str, str] = {}
    for section in SECTIONS:
        merged |= found.get(section, {})
    return merged


def build_network(environ: Mapping[str, str], config: Mapping[str, str], is_folder: Mapping[str, bool]) -> BuildNetwork:
    """What to tell a build. ``config``: ``parse_config`` of this machine; ``is_folder``: which find-links are folders.

    A ``file:`` address means nothing inside a build and is left out, aloud. With a folder of wheels and no extra index
    of the user's own, the extra index is emptied: it may not be reachable here, and pip would wait for it.
    """
    args: dict[str, str] = {}
    said: list[str] = []
    for setting, argument in FORWARDED.items():
        addresses = environ.get(argument, config.get(setting, "")).split()
        reachable = [address for address in addresses if not address.startswith("file:")]
        for address in sorted(set(addresses) - set(reachable)):
            said.append(f"pip's {setting} {address} is on this machine's disk: the build cannot see it")
        if reachable:
            args[argument] = " ".join(reachable)
            shown = " ".join(map(without_password, reachable))
            said.append(f"the build uses this machine's {setting}, not the rendered one: {shown}")
    links = environ.get("PIP_FIND_LINKS", config.get("find-links", "")).split()
    folders = [link for link in links if is_folder.get(link)]
    if folders:
        args.setdefault("PIP_EXTRA_INDEX_URL", "")
        said.append(f"the build takes wheels from {folders[0]}")
    said += [
        f"pip's find-links {link} is not used in the build: one folder is" for link in links if link not in folders[:1]
    ]
    for name in PROXIES:
        for spelt in (name, name.lower()):
            if environ.get(spelt):
                args[spelt] = environ[spelt]
                said.append(f"the build uses {spelt}")
    return BuildNetwork(args, folders[0] if folders else None, tuple(said))


def without_password(address: str) -> str:
    """``https://user:***@host/simple``: safe to print."""
    scheme, separator, rest = address.partition("://")
    login, at, host = rest.rpartition("@")
    if not separator or not at:
        return address
    return f"{scheme}://{login.partition(':')[0]}:***@{host}"
