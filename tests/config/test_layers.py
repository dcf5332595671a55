"""Who wins when several layers say something, and that the winner is known afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlpack.config import LoadedSpec, load_spec
from mlpack.errors import MlpackError, SpecError, UsageError
from mlpack.spec import EnvValue

Load = Callable[..., LoadedSpec]
OWN = """\
    workers: 2
    env: {A: one, B: two}
    volumes: [a, b]
volumes: {a: , b: {}}
budget: {memory_share: 0.6}
profiles:
  small: {services: {web: {workers: 1, env: {B: {from: web.port}}, volumes: [b]}}}
  empty:
  prod: {tag: stable}
"""


def test_later_layers_win_and_are_remembered(load: Load, tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text("services:\n  web: {threads: 3, workers: 4}\n")
    loaded = load(OWN, profiles=("prod", "small", "more.yaml"), sets=("services.web.threads=5",))
    web = loaded.spec.services["web"]
    assert (web.workers, web.threads) == (4, 5)
    assert loaded.spec.tag == "stable"  # prod is built in and in the file: both hold
    assert loaded.spec.budget.memory_share == 0.6  # mlpack.yaml is above built-in profiles
    assert loaded.spec.budget.keep_back_bytes == 1024**3
    assert {
        path: loaded.origin(path)
        for path in (
            "services.web.threads",
            "services.web.workers",
            "services.web.app",
            "tag",
            "budget.memory_share",
            "budget.keep_back_bytes",
            "services.web.port",
            "objective",
            "no.such.path",
        )
    } == {
        "services.web.threads": "user",
        "services.web.workers": "profile",
        "services.web.app": "user",
        "tag": "profile",
        "budget.memory_share": "user",
        "budget.keep_back_bytes": "profile",
        "services.web.port": "default",
        "objective": "default",
        "no.such.path": "default",
    }
    assert loaded.positions["services.web.workers"] == "more.yaml:2"
    assert loaded.positions["services.web.threads"] == "--set"
    assert loaded.positions["services.web.app"] == "mlpack.yaml:5"
    assert loaded.sources == (tmp_path / "mlpack.yaml", tmp_path / "more.yaml")
    assert loaded.profiles == ("prod", "small", "more.yaml")


def test_maps_merge_and_everything_else_is_replaced(load: Load) -> None:
    web = load(OWN, profiles=("small",)).spec.services["web"]
    assert web.env == {"A": EnvValue(text="one"), "B": EnvValue(of="web", fact="port")}
    assert web.volumes == ("b",)


def test_a_reference_is_replaced_whole(load: Load) -> None:
    loaded = load("    env: {A: {secret: key}}\nsecrets: [key]\n", sets=("services.web.env.A={from: web.port}",))
    assert loaded.spec.services["web"].env["A"] == EnvValue(of="web", fact="port")


def test_an_empty_value_asks_for_the_default(load: Load) -> None:
    assert load(OWN, sets=("services.web.workers=",)).spec.services["web"].workers is None
    assert load("objective:\nvolumes:\n").spec.objective == "throughput"
    assert load(OWN, profiles=("empty",)).spec == load(OWN).spec


def test_a_value_that_is_only_data_is_one_leaf(load: Load) -> None:
    loaded = load("requests:\n  a: {to: web, post: /a, json: {text: {deep: 1}}}\n")
    assert loaded.origins["requests.a.steps.0.json"] == "user"
    assert not any(path.startswith("requests.a.steps.0.json.") for path in loaded.origins)


def test_places_are_told_as_their_writer_knows_them(load: Load) -> None:
    loaded = load("    max_body: 8M\nrequests:\n  a: {to: web, post: /a}\n")
    assert loaded.where("services.web.max_body_bytes") == "mlpack.yaml:6 services.web.max_body"
    assert loaded.where("requests.a.steps.0.path") == "mlpack.yaml:8 requests.a.post"
    assert loaded.where("services.web.timeout_s") == "mlpack.yaml:3 services.web.timeout"


def test_gpu_profile_asks_for_the_card(load: Load) -> None:
    assert load(profiles=("gpu",)).spec.device == "gpu"
    assert load().spec.device == "auto"


def test_dev_and_prod_differ_where_it_matters(load: Load) -> None:
    dev, prod = load(profiles=("dev",)).spec, load(profiles=("prod",)).spec
    assert (dev.settings.publish_host, dev.settings.restart) == ("127.0.0.1", "no")
    assert prod.settings.restart == "unless-stopped"
    assert dev.budget.memory_share == 0.5


@pytest.mark.parametrize(
    ("profiles", "sets", "said"),
    [
        (("prdo",), (), "there is no profile 'prdo'\n  hint: did you mean `prod`?"),
        (("smal",), (), "did you mean `small`?"),
        (("prod", "prod"), (), "the profile 'prod' is given twice"),
        (("no.yaml",), (), "there is no profile file 'no.yaml'"),
        ((), ("a",), "--set 'a' sets nothing"),
        ((), ("a..b=1",), "--set 'a..b=1' sets nothing"),
    ],
)
def test_what_does_not_exist_is_a_usage_error(
    load: Load, profiles: tuple[str, ...], sets: tuple[str, ...], said: str
) -> None:
    with pytest.raises(UsageError) as raised:
        load(OWN, profiles=profiles, sets=sets)
    assert said in str(raised.value)


def test_a_set_is_checked_like_a_line_of_the_file(load: Load) -> None:
    with pytest.raises(SpecError) as raised:
        load(sets=("services.web.prot=1",))
    assert str(raised.value) == "--set services.web.prot: unknown key `prot`\n  hint: did you mean `port`?"
    with pytest.raises(SpecError):
        load(sets=("services.web.env.A=[",))


def test_a_profile_file_stays_inside_the_project(load: Load) -> None:
    with pytest.raises(MlpackError, match=r"climbs out"):
        load(profiles=("../other.yaml",))


def test_without_a_file_init_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="mlpack init"):
        load_spec(tmp_path)


def test_anchors_and_merge_keys_are_understood(load: Load) -> None:
    loaded = load(
        "    env: &env {A: one, B: two}\n"
        "  b: {server: celery, app: tasks, env: {<<: *env, B: three}}\n"
        "  c: {server: celery, app: tasks, env: *env}\n"
    )
    texts = {name: {k: v.text for k, v in s.env.items()} for name, s in loaded.spec.services.items()}
    assert texts["b"] == {"A": "one", "B": "three"}
    assert texts["c"] == texts["web"] == {"A": "one", "B": "two"}


def test_a_profile_leaves_a_service_out(load: Load) -> None:
    own = """\
  extra: {server: redis}
profiles:
  without: {services: {extra: null}}
  with: {services: {extra: {port: 1}}}
"""
    assert sorted(load(own).spec.services) == ["extra", "web"]
    assert sorted(load(own, profiles=("without",)).spec.services) == ["web"]
    assert load(own, profiles=("with",)).spec.services["extra"].port == 1
