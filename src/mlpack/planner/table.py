"""Rows of text for a plan's tables; the console and the guide only draw them. The first row is the heading."""

from __future__ import annotations

from typing import Literal

from mlpack.plan import Decided, Plan, Term, TimePlan
from mlpack.units import show_duration, show_mib

Rows = list[tuple[str, ...]]


def services(plan: Plan) -> Rows:
    """One row per service: what runs, how often, and its limits per replica."""
    heading = (
        "service",
        "server",
        "replicas",
        "workers",
        "threads",
        "at once",
        "preload",
        "limit",
        "cpus",
        "time limits",
    )
    rows = [
        (
            name,
            service.server,
            str(service.replicas.value),
            str(service.workers.value),
            str(service.threads.value),
            str(service.concurrency.value),
            "yes" if service.preload.value else "no",
            show_mib(service.memory.limit_bytes.value),
            f"{service.cpus.value:g}",
            times(service.times) if plan.spec.services[name].models or _bounded(service.times) else "-",
        )
        for name, service in plan.services.items()
    ]
    return [heading, *rows]


def times(plan: TimePlan) -> str:
    """The nested limits from the inside out: ``request 12 s < worker 30 s < proxy 41 s``."""
    named: tuple[tuple[str, Decided[int] | Decided[float] | None], ...] = (
        ("request", plan.request_s),
        ("worker", plan.worker_s),
        ("soft", plan.soft_s),
        ("hard", plan.hard_s),
        ("redelivery", plan.redelivery_s),
        ("proxy", plan.proxy_read_s),
    )
    return " < ".join(f"{name} {show_duration(decided.value)}" for name, decided in named if decided is not None)


def _bounded(plan: TimePlan) -> bool:
    """Something beside the request's own bound is limited: brokers and databases have no such chain."""
    return any((plan.worker_s, plan.soft_s, plan.proxy_read_s))


def memory(plan: Plan, name: str, when: Literal["load", "serve"] | None = None) -> Rows:
    """The memory sum of one replica of service ``name``: every term, the peak, the headroom and the limit.

    ``when`` chooses start-up or serving; by default the larger, which sets the limit.
    """
    sums = plan.services[name].memory
    loading = when == "load" if when else sums.load_bytes > sums.serve_bytes
    terms, peak = (sums.load_terms, sums.load_bytes) if loading else (sums.serve_terms, sums.serve_bytes)
    serving = "peak, one worker loads and the others serve" if sums.serve_reloads else "serving peak"
    moment = "start-up peak" if loading else serving
    limit = sums.limit_bytes.value
    return [
        ("part", "each", "count", "total", "source"),
        *(_term(term) for term in terms),
        (moment, "", "", show_mib(peak), ""),
        ("headroom", "", "", show_mib(limit - peak), "calculated"),
        ("limit", "", "", show_mib(limit), sums.limit_bytes.source),
    ]


def budget(plan: Plan) -> Rows:
    """The host's memory shared out: every service, what is used, what is left of the usable, what is kept back."""
    total, usable, used = plan.budget.total_bytes.value, plan.budget.usable_bytes.value, plan.budget.used_bytes
    rows = [(row.service, str(row.replicas), show_mib(row.limit_bytes), f"{row.cpus:g}") for row in plan.budget.rows]
    return [
        ("service", "replicas", "memory", "cpus (caps)"),
        *rows,
        ("all services", "", show_mib(used), ""),
        ("free for more", "", show_mib(usable - used), ""),
        ("kept back", "", show_mib(total - usable), ""),
        ("host", "", show_mib(total), f"{plan.budget.cores.value:g}"),
    ]


def card_need(plan: Plan, name: str) -> Rows:
    """What one worker of service ``name`` needs of its card, term by term; no rows where it computes on none."""
    gpu = plan.services[name].gpu
    if gpu is None:
        return []
    total = sum(term.total_bytes for term in gpu.terms)
    return [
        ("part", "each", "count", "total", "source"),
        *(_term(term) for term in gpu.terms if term.total_bytes),
        ("peak", "", "", show_mib(total), ""),
        ("with headroom", "", "", show_mib(gpu.need_bytes.value), gpu.need_bytes.source),
    ]


def cards(plan: Plan) -> Rows:
    """The cards in use: who is on them, what that needs, what may be planned; no rows where none is."""
    rows = [
        (row.name, row.card, ", ".join(row.services), show_mib(row.used_bytes), show_mib(row.usable_bytes))
        for row in plan.budget.cards
    ]
    return [("card", "named", "services", "planned", "of"), *rows] if rows else []


def _term(term: Term) -> tuple[str, ...]:
    return (term.name, show_mib(term.each_bytes), str(term.count), show_mib(term.total_bytes), term.source)
