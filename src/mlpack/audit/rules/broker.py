"""Redis as a broker: what forgets tasks, and what everybody may use. A cache or a store of results is no queue."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlpack.audit.deployment import Deployment, Service
from mlpack.audit.finding import Hit, Rule
from mlpack.audit.rules.queue import FACTS, task_workers

_HOST = re.compile(r"://(?:[^/@]*@)?([\w.-]+)")


def _names(one: Service) -> set[str]:
    return {one.name, *((one.container_name.text,) if one.container_name else ())}


def _is_queue(deployment: Deployment, one: Service) -> bool:
    """Whether tasks wait in ``one``: there are workers, and no variable names another service as their broker."""
    said = [value.text for each in deployment.services for name, value in each.environment.items() if "BROKER" in name]
    hosts = {match[1] for text in said if (match := _HOST.search(text))}
    known = {name for each in deployment.services for name in _names(each)} & hosts
    return bool(task_workers(deployment)) and (not known or bool(_names(one) & known))


def broker(deployment: Deployment) -> Iterator[Hit]:
    """A Redis that forgets tasks, or that everybody may use."""
    for one in deployment.services:
        if one.program.kind != "redis":
            continue
        queued = _is_queue(deployment, one)
        policy, save = one.program.options.get("maxmemory-policy"), one.program.options.get("save")
        if queued and policy is not None and policy.text != "noeviction":
            yield Hit(
                policy.place,
                one.name,
                f"--maxmemory-policy {policy.text}",
                "--maxmemory-policy noeviction",
                "when memory is short Redis throws away queued tasks",
                "error",
                {},
            )
        if queued and not one.is_unit and not any(target == "/data" for _, target, _ in one.volumes):
            yield Hit(
                one.place,
                one.name,
                "no volume at /data",
                "a volume, and --appendonly yes",
                "the queue is gone with the container",
                "note",
            )
        elif queued and save is not None and not save.text.strip("\"'") and "appendonly" not in one.program.options:
            yield Hit(save.place, one.name, '--save ""', "--appendonly yes", "a restart loses the queue")
        public = [
            said
            for said in one.ports
            if said.text.split(":")[0] in ("", "0.0.0.0") and said.text.count(":") == 2 and said.text.split(":")[1]
        ]
        if public and "requirepass" not in one.program.options and "requirepass" not in one.program.text:
            yield Hit(
                public[0].place,
                one.name,
                f"ports: {public[0].text.lstrip(':')}, no password",
                "127.0.0.1 in front of it, or no ports",
                "who reaches the port can run tasks; pickle or not, that is your workers"
                if queued
                else "who reaches the port reads, changes and deletes whatever is kept there",
            )


RULES = (Rule("broker", "warning", "The broker loses tasks or is open", FACTS, broker),)
