"""Cards in rendered files: the override, the devices of a unit, a card for every gunicorn worker in real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.artifacts import texts, tool, write_files
from tests.compose_plugin import compose_config
from tests.planner.gpu_build import card as llm_card
from tests.planner.gpu_build import model, plan_on, with_cards
from tests.plans import embedding_plan, embedding_spec, plan_of, service_plan, whole

from mlpack.host import GpuSetFacts
from mlpack.launchers.process import free_port
from mlpack.plan import CardPlan, Decided, GpuPlan, Plan
from mlpack.process import run
from mlpack.spec import Build
from mlpack.targets.gpu import unit_device_lines
from mlpack.units import GIB

HOSTILE = 'GPU-$x"\\ #: {a}'


def word(value: str) -> Decided[str]:
    return Decided[str](value=value, source="default", because="a test's reason")


def card(number: int, **more: Any) -> CardPlan:
    values = {"index": number, "uuid": f"GPU-{number}", "minor": number + 4, **more}
    return CardPlan(name="NVIDIA Test", total_bytes=24 * GIB, usable_bytes=22 * GIB, **values)


def gpu(*cards: CardPlan, seats: tuple[int, ...] = (0,), access: str = "reservation") -> GpuPlan:
    return GpuPlan(
        cards=cards,
        seats=seats,
        need_bytes=whole(3 * GIB),
        lower_bytes=GIB,
        terms=(),
        access=word(access),
        environment={"CUDA_MODULE_LOADING": word("LAZY"), "ODD": word("a$b")},
    )


def plan_with(made: GpuPlan, **changes: Any) -> Plan:
    return plan_of(embedding_spec(), {"web": service_plan(device="gpu", gpu=made, **changes)})


def override(plan: Plan) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(texts(plan)["compose.gpu.yaml"])
    return found


def test_without_a_card_there_is_no_such_file() -> None:
    assert "compose.gpu.yaml" not in texts(embedding_plan())
    assert "## Cards" not in texts(embedding_plan())["DEPLOYMENT.md"]


def test_the_guide_names_the_cards_and_both_files() -> None:
    host = with_cards(GpuSetFacts(devices=(llm_card(24, uuid="GPU-a|b"),)))
    services = {"llm": {"server": "llama_server", "models": ["m"], "device": "gpu"}}
    guide = texts(plan_on(host, services, info=model(1e9, "Q4_0", format_="gguf"), runtime="llama_cpp"))[
        "DEPLOYMENT.md"
    ]
    part = guide.partition("## Cards")[2].partition("\n## ")[0]
    assert "--file compose.yaml --file compose.gpu.yaml up" in part
    row = next(line for line in part.splitlines() if "NVIDIA Test" in line)
    assert "GPU-a\\|b" in row


def test_the_cards_are_reserved_by_uuid_and_only_in_the_override() -> None:
    plan = plan_with(gpu(card(1), card(3), seats=(0, 1)))
    web = override(plan)["services"]["web"]
    (device,) = web["deploy"]["resources"]["reservations"]["devices"]
    assert device == {
        "driver": "nvidia",
        "device_ids": ["GPU-1", "GPU-3"],
        "capabilities": ["gpu", "compute", "utility"],
    }
    assert web["environment"] == ["CUDA_MODULE_LOADING=LAZY", "ODD=a$$b"]
    base = texts(plan)["compose.yaml"]
    assert "devices" not in base
    assert "CUDA" not in texts(plan)["web.env"]


@pytest.mark.parametrize(("size_gib", "all_of_it"), [(24, True), (6, False)])
def test_llama_server_is_told_its_layers_beside_the_card_only(size_gib: float, all_of_it: bool) -> None:
    """The planner's own decision, rendered: another image and the number of layers, both in the override alone."""
    models = {"m": {"path": "weights/m.gguf", "max_input": {"tokens": 4096}}}
    host = with_cards(GpuSetFacts(devices=(llm_card(size_gib),)))
    services = {"llm": {"server": "llama_server", "models": ["m"], "device": "gpu"}}
    info = model(8e9, "Q4_0", format_="gguf")
    plan = plan_on(host, services, info=info, runtime="llama_cpp", models=models)
    made = plan.services["llm"].gpu
    assert made is not None
    assert made.offload_layers is not None
    assert (made.offload_layers.value > 32) is all_of_it
    llm = override(plan)["services"]["llm"]
    assert llm["image"] == "ghcr.io/ggml-org/llama.cpp:server-cuda"
    assert llm["environment"] == [f"LLAMA_ARG_N_GPU_LAYERS={made.offload_layers.value}"]
    base = yaml.safe_load(texts(plan)["compose.yaml"])["services"]["llm"]
    assert base["image"] == "ghcr.io/ggml-org/llama.cpp:server"
    assert "LLAMA_ARG_N_GPU_LAYERS" not in texts(plan)["compose.yaml"] + texts(plan).get("llm.env", "")


def test_ollama_gets_the_card_and_decides_its_layers_by_itself() -> None:
    models = {"m": {"path": "weights/m.gguf", "max_input": {"tokens": 4096}}}
    host = with_cards(GpuSetFacts(devices=(llm_card(24),)))
    services = {"llm": {"server": "ollama", "models": ["m"], "device": "gpu"}}
    plan = plan_on(host, services, info=model(8e9, "Q4_0", format_="gguf"), runtime="llama_cpp", models=models)
    made = override(plan)["services"]
    assert list(made) == ["llm"]  # not the step that fills its store
    (device,) = made["llm"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["device_ids"] == ["GPU-24"]
    assert set(made["llm"]) == {"deploy"}  # the same image; there is no variable for layers


def test_the_short_syntax_says_the_same() -> None:
    reserved = override(plan_with(gpu(card(1), card(3), seats=(0, 1))))["services"]["web"]
    short = override(plan_with(gpu(card(1), card(3), seats=(0, 1), access="gpus")))["services"]["web"]
    assert short["gpus"] == reserved["deploy"]["resources"]["reservations"]["devices"]
    assert "deploy" not in short


def test_cdi_has_its_own_names() -> None:
    web = override(plan_with(gpu(card(1), access="cdi")))["services"]["web"]
    (device,) = web["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["device_ids"]) == ("cdi", ["nvidia.com/gpu=GPU-1"])


def test_compose_itself_reads_the_merged_files(tmp_path: Path) -> None:
    """docker compose's own answer: device ids whole, environment unexpanded, limits of compose.yaml kept."""
    plan = plan_with(gpu(card(0, uuid=HOSTILE)))
    folder = write_files(plan, tmp_path)
    base = str(folder / "compose.yaml")
    done = compose_config(base, str(folder / "compose.gpu.yaml"))
    web = json.loads(done.stdout)["services"]["web"]
    (device,) = web["deploy"]["resources"]["reservations"]["devices"]
    assert [key.replace("$$", "$") for key in device["device_ids"]] == [HOSTILE]  # `config` prints dollars doubled
    assert device["capabilities"] == ["gpu", "compute", "utility"]
    assert web["environment"]["ODD"] in ("a$b", "a$$b")
    assert web["deploy"]["resources"]["limits"]["memory"] == str(plan.services["web"].memory.limit_bytes.value)
    alone = compose_config(base)
    resources = json.loads(alone.stdout)["services"]["web"]["deploy"]["resources"]
    assert "devices" not in resources["reservations"]


def test_compose_itself_reads_the_short_syntax(tmp_path: Path) -> None:
    """By the CLI at hand. One before 2.30 may read the key and do nothing with it: deploy.sh asks for 2.30 then."""
    folder = write_files(plan_with(gpu(card(0, uuid=HOSTILE), access="gpus")), tmp_path)
    done = compose_config(str(folder / "compose.yaml"), str(folder / "compose.gpu.yaml"), check=False)
    if done.code != 0 and "property gpus" in done.stderr:
        pytest.skip("no compose plugin that reads the key")
    assert done.code == 0, done.stderr
    (device,) = json.loads(done.stdout)["services"]["web"]["gpus"]
    assert [key.replace("$$", "$") for key in device["device_ids"]] == [HOSTILE]
    script = (folder / "deploy.sh").read_text()
    assert 'at_least "$(plain "$compose")" 2.30.0 ||' in script
    assert "2.30.0" not in texts(plan_with(gpu(card(0))))["deploy.sh"]


def test_a_unit_reaches_its_cards_and_no_others() -> None:
    lines = unit_device_lines(gpu(card(0), card(2, minor=None), seats=(0, 1)))
    assert lines == (
        ("PrivateDevices", "no"),
        ("DeviceAllow", "/dev/nvidiactl rw"),
        ("DeviceAllow", "/dev/nvidia-uvm rw"),
        ("DeviceAllow", "/dev/nvidia-uvm-tools rw"),
        ("DeviceAllow", "/dev/nvidia4 rw"),
        ("DeviceAllow", "/dev/nvidia2 rw"),
    )
    split = unit_device_lines(gpu(card(0, instance="1g.10gb")))
    assert split[-1] == ("DeviceAllow", "char-nvidia-caps r")


def on_units(made: GpuPlan | None) -> dict[str, str]:
    """The files of a gunicorn service that is a unit."""
    service = service_plan(target="systemd", **({"device": "gpu", "gpu": made} if made else {}))
    build = Build(requirements="requirements.txt", python="3.11")
    return texts(plan_of(embedding_spec(target="systemd", build=build), {"web": service}), web=["torch"])


def unit_of(files: dict[str, str]) -> str:
    (text,) = [text for path, text in files.items() if path.endswith("-web.service")]
    return text


def test_a_unit_with_cards_opens_them_and_says_why_it_is_more_exposed() -> None:
    lines = unit_of(on_units(gpu(card(0), card(2), seats=(0, 1)))).splitlines()
    allowed = [line for line in lines if line.startswith(("DeviceAllow=", "PrivateDevices=", "DevicePolicy="))]
    assert allowed == [
        "DeviceAllow=/dev/nvidiactl rw",
        "DeviceAllow=/dev/nvidia-uvm rw",
        "DeviceAllow=/dev/nvidia-uvm-tools rw",
        "DeviceAllow=/dev/nvidia4 rw",
        "DeviceAllow=/dev/nvidia6 rw",
        "DevicePolicy=closed",
        "PrivateDevices=no",
    ]
    assert any(line.startswith("# cards are devices") and "higher score" in line for line in lines)
    assert "Environment=CUDA_MODULE_LOADING=LAZY" in lines
    assert 'Environment="ODD=a$b"' in lines or "Environment=ODD=a$b" in lines
    without = unit_of(on_units(None))
    assert "PrivateDevices=yes" in without
    assert "DeviceAllow" not in without
    assert "CUDA" not in without


def test_install_sh_looks_for_the_device_files_and_takes_torch_with_cuda() -> None:
    files = on_units(gpu(card(0)))
    assert "    check_card /dev/nvidia-uvm\n" in files["install.sh"]
    assert "    check_card /dev/nvidia4\n" in files["install.sh"]
    assert "whl/cpu" not in files["install.sh"]
    assert "nvidia-caps" not in files["install.sh"]
    split = on_units(gpu(card(0, instance="1g.10gb", uuid="MIG-1")))
    assert "    check_card /dev/nvidia-caps\n" in split["install.sh"]
    assert "DeviceAllow=char-nvidia-caps r" in unit_of(split).splitlines()
    assert "Environment=CUDA_MODULE_LOADING=LAZY" in unit_of(split).splitlines()
    plain = on_units(None)["install.sh"]
    assert "check_card" not in plain
    assert "whl/cpu" in plain


def test_systemd_itself_reads_the_unit_and_scores_it_higher(tmp_path: Path) -> None:
    """systemd-analyze's own words: the unit's devices are listed, and cost points."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have systemd-analyze", pytrace=False)
        pytest.skip("no systemd-analyze")
    scores = {}
    for name, made in (("with", gpu(card(0))), ("without", None)):
        path = tmp_path / f"{name}.service"
        path.write_text(unit_of(on_units(made)))
        said = run((analyze, "security", "--offline=true", "--no-pager", "--json=short", str(path)), check=False)
        rows = {row["json_field"]: row for row in json.loads(said.stdout)}
        assert rows["PrivateDevices"]["set"] is (made is None)
        scores[name] = sum(float(row["exposure"] or 0) for row in rows.values())
    assert scores["with"] > scores["without"]


def test_torch_with_cuda_is_not_taken_from_the_index_without() -> None:
    files = {path: text for path, text in texts(plan_with(gpu(card(0))), web=["torch"]).items() if path == "Dockerfile"}
    assert "whl/cpu" not in files["Dockerfile"]
    assert "FROM ${BASE_IMAGE} AS base" in files["Dockerfile"]
    assert "-slim-" in files["Dockerfile"]


def test_deploy_sh_uses_the_cards_where_they_answer_and_else_says_so(tmp_path: Path) -> None:
    """The script with stand-ins for docker and nvidia-smi: which files it hands to compose."""
    folder = write_files(plan_with(gpu(card(0))), tmp_path)
    tools = tmp_path / "bin"
    tools.mkdir()
    log = tmp_path / "log"
    (tools / "docker").write_text(
        f'#!/bin/sh\necho "$*" >>{log}\ncase "$*" in *version*short*) echo 2.30.0;; *Server*) echo 27.0.1;; esac\n'
    )
    smi = tools / "nvidia-smi"
    environ = {**os.environ, "PATH": f"{tools}:/usr/bin:/bin"}
    asked = {}
    for answer in ("GPU 0: NVIDIA Test (UUID: GPU-0)", ""):
        smi.write_text(f'#!/bin/sh\nprintf "%s\\n" "{answer}"\n')
        for path in tools.iterdir():
            path.chmod(0o755)
        log.write_text("")
        done = run(("sh", str(folder / "deploy.sh"), "status"), env=environ, timeout_s=30)
        asked[answer != ""] = ("compose.gpu.yaml" in log.read_text(), "no NVIDIA card" in done.stderr)
    assert asked == {True: (True, False), False: (False, True)}


def test_shellcheck(tmp_path: Path) -> None:
    folder = write_files(plan_with(gpu(card(0))), tmp_path)
    run((tool("shellcheck"), "--norc", str(folder / "deploy.sh")), timeout_s=60)


APP = """
import os
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {os.environ['CUDA_VISIBLE_DEVICES']}".encode()]
"""


def test_every_worker_sees_its_own_card_and_a_replaced_one_gets_the_same(tmp_path: Path) -> None:
    """Real gunicorn, three workers on three cards; one is killed."""
    port = free_port()
    made = gpu(card(0), card(1), card(2), seats=(0, 1, 2))
    plan = plan_with(made, workers=whole(3), port=port, worker_class=None)
    settings = texts(plan)["web.gunicorn.conf.py"]
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "conf.py").write_text(settings + f"\nbind = '127.0.0.1:{port}'\nworker_class = 'sync'\n")
    argv = (sys.executable, "-m", "gunicorn", "--config", "conf.py", "app:app")
    process = subprocess.Popen(argv, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        first = seen(port, 3)
        assert sorted(first.values()) == ["GPU-0", "GPU-1", "GPU-2"]
        gone = next(pid for pid, uuid in first.items() if uuid == "GPU-1")
        os.kill(gone, signal.SIGKILL)
        after = seen(port, 3, without=gone)
        assert sorted(after.values()) == ["GPU-0", "GPU-1", "GPU-2"]
    finally:
        process.terminate()
        process.wait(timeout=30)


def seen(port: int, count: int, without: int = 0) -> dict[int, str]:
    """pid -> card, asked until ``count`` workers other than ``without`` have answered."""
    found: dict[int, str] = {}
    until = time.monotonic() + 60
    while len(found) < count and time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                pid, uuid = answer.read().decode().split()
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
            continue
        if int(pid) != without:
            found[int(pid)] = uuid
    return found
