"""DEPLOYMENT.md, read by a Markdown parser: the plan's sums, commands that exist, nothing that destroys data."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from tests.artifacts import texts
from tests.plans import embedding_plan, embedding_spec, plan_of, service_plan

from mlpack.plan import Decided, Plan, Term
from mlpack.units import MIB, show_mib

READER = MarkdownIt("commonmark").enable("table")
HOSTILE = 'a | b ` c <script>x</script> [l](http://x) *s* ``` \\ \n| - # "q"'


def guide(plan: Plan) -> str:
    return texts(plan)["DEPLOYMENT.md"]


def tables(source: str) -> list[list[list[str]]]:
    """Every table as rows of shown text."""
    found: list[list[list[str]]] = []
    for token in READER.parse(source):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline" and found and token.level >= 4:
            shown = "".join(inner.content for inner in token.children or ())
            found[-1][-1].append(shown)
    return found


def test_the_sums_are_the_plans() -> None:
    plan = embedding_plan()
    memory = plan.services["web"].memory
    serve = next(table for table in tables(guide(plan)) if table[-1][0] == "serve")
    assert serve[1:-1] == [
        [term.name, show_mib(term.each_bytes), str(term.count), show_mib(term.total_bytes), term.source]
        for term in memory.serve_terms
    ]
    assert serve[-1][3] == show_mib(memory.serve_bytes)
    assert f"**{show_mib(memory.limit_bytes.value)}**" in guide(plan)


def test_decisions_come_with_their_reasons() -> None:
    rows = {row[0]: row[1:] for table in tables(guide(embedding_plan())) for row in table}
    assert rows["workers"] == ["2", "2 cores / 1 thread each"]
    assert rows["requests at once per worker"] == ["3", "what the app reads"]
    assert rows["load before the fork"] == ["no", "not proven"]
    assert rows["one request, expected at most (what comes in later waits)"][0] == "30 s"


def test_nothing_that_destroys_data() -> None:
    source = guide(embedding_plan())
    assert not re.search(r"prune|down\s+(-v|--volumes)|volume rm|rm -rf", source)


def test_hostile_reasons_stay_in_their_cells() -> None:
    because = Decided[bool](value=False, source="default", because=HOSTILE)
    memory = embedding_plan().services["web"].memory
    memory = memory.model_copy(update={"serve_terms": (Term(name=HOSTILE, each_bytes=MIB, count=1, source="default"),)})
    plan = plan_of(embedding_spec(), {"web": service_plan(preload=because, memory=memory)})
    plain, hostile = tables(guide(embedding_plan())), tables(guide(plan))
    assert [len(row) for table in hostile for row in table[:1]] == [len(table[0]) for table in plain]
    assert all(len({len(row) for row in table}) == 1 for table in hostile)
    html = READER.render(guide(plan))
    assert "<script>" not in html
    assert "<em>s</em>" not in html


def test_every_command_runs_in_the_folder_it_names() -> None:
    source = guide(embedding_plan())
    assert "./deploy/prod/deploy.sh up" in source
    assert "docker compose exec web" in source
    assert "mlpack render prod --reprobe" in source
