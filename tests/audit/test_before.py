"""The five systems as their teams had them: every fault named in their descriptions is found, on its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlpack.audit import audit, once, read_deployment
from mlpack.audit.finding import AuditFinding
from mlpack.commands.host import read_host

ROOT = Path(__file__).parents[2]
BEFORE = Path(__file__).parent / "before"
SEGMENTATION = ROOT / "examples" / "segmentation" / "before"
MAC = ROOT / "tests" / "hosts" / "mac-16g-docker-desktop.json"
FILES = {
    "segmentation": (SEGMENTATION / "docker-compose.yml", SEGMENTATION / "Dockerfile"),
    "moderation": (BEFORE / "moderation/docker-compose.yml", BEFORE / "moderation/docker-compose.dev.yml"),
    "mri-pipeline": (BEFORE / "mri-pipeline/docker-compose.yml", BEFORE / "mri-pipeline/worker.service"),
    "documents": (BEFORE / "documents/docker-compose.yml",),
    "classifier": (BEFORE / "classifier/docker-compose.yml",),
}
FAULTS = [  # system, rule, severity, end of file name, text on the line that it points at
    ("segmentation", "everything-copied", "warning", "Dockerfile", "COPY . ."),
    ("segmentation", "runs-as-root", "warning", "Dockerfile", "CMD"),
    ("segmentation", "base-unpinned", "note", "Dockerfile", "FROM python:3.11"),
    ("segmentation", "gpu-setting-on-cpu", "note", "Dockerfile", "TF_FORCE_GPU_ALLOW_GROWTH"),
    ("segmentation", "health-missing", "warning", "docker-compose.yml", "segmentation:"),
    ("segmentation", "threads-unset", "note", "docker-compose.yml", "cpus"),
    ("segmentation", "swap-unbounded", "note", "docker-compose.yml", "memory: 8G"),
    ("moderation", "limit-below-workers", "error", "docker-compose.yml", "memory: 1G"),
    ("moderation", "limit-tight", "warning", "docker-compose.dev.yml", "memory: 2G"),
    ("moderation", "threads-above-cpus", "warning", "docker-compose.yml", "MKL_NUM_THREADS"),
    ("moderation", "mkl-beats-omp", "warning", "docker-compose.yml", "MKL_NUM_THREADS"),
    ("moderation", "connections-useless", "warning", "docker-compose.yml", "command"),
    ("moderation", "green-workers", "warning", "docker-compose.dev.yml", "gevent"),
    ("moderation", "recycling", "warning", "docker-compose.yml", "command"),
    ("moderation", "timeout", "note", "docker-compose.yml", "command"),
    ("moderation", "timeout", "warning", "docker-compose.dev.yml", "command"),
    ("moderation", "variable-deprecated", "warning", "docker-compose.yml", "TRANSFORMERS_CACHE"),
    ("moderation", "tokenizers-parallelism", "note", "docker-compose.yml", "TOKENIZERS_PARALLELISM"),
    ("moderation", "secret-in-environment", "warning", "docker-compose.yml", "SECRET_KEY"),
    ("moderation", "cuda-on-cpu", "warning", "requirements.txt", "torch"),
    ("moderation", "health-missing", "warning", "docker-compose.yml", "web:"),
    ("moderation", "health-cannot-run", "error", "docker-compose.dev.yml", "curl"),
    ("mri-pipeline", "conda-ignored", "warning", "Dockerfile", "FROM"),
    ("mri-pipeline", "base-unpinned", "error", "Dockerfile", "nvidia/cuda:11.8-cudnn8"),
    ("mri-pipeline", "gpu-missing", "warning", "docker-compose.yml", "CUDA_VISIBLE_DEVICES"),
    ("mri-pipeline", "volume-unseen", "warning", "docker-compose.yml", "uploads:/data/uploads"),
    ("mri-pipeline", "localhost", "warning", "docker-compose.yml", "redis://localhost"),
    ("mri-pipeline", "pool-without-limits", "warning", "docker-compose.yml", "--pool solo"),
    ("mri-pipeline", "task-lost", "warning", "tasks.py", "acks_late"),
    ("mri-pipeline", "broker", "error", "docker-compose.yml", "allkeys-lru"),
    ("mri-pipeline", "broker", "warning", "docker-compose.yml", "6379:6379"),
    ("mri-pipeline", "unit-path", "warning", "worker.service", "Environment=PATH"),
    ("mri-pipeline", "unit-conduct", "warning", "worker.service", "ExecStart"),
    ("documents", "variable-imaginary", "warning", "docker-compose.yml", "OLLAMA_MMAP"),
    ("documents", "variable-imaginary", "warning", "docker-compose.yml", "OLLAMA_NUM_THREAD"),
    ("documents", "limits-above-host", "error", "docker-compose.yml", "memory: 8G"),
    ("documents", "gpu-missing", "warning", "docker-compose.yml", "ollama:"),
    ("documents", "ollama-quota", "warning", "docker-compose.yml", "cpus"),
    ("documents", "llm-crowded", "warning", "docker-compose.yml", "OLLAMA_NUM_PARALLEL"),
    ("documents", "child-limit", "warning", "docker-compose.yml", "command"),
    ("documents", "fresh-child", "warning", "docker-compose.yml", "command"),
    ("documents", "limits-contradict", "error", "__init__.py", "time_limit=2400"),
    ("documents", "limits-contradict", "warning", "docker-compose.yml", "OLLAMA_TIMEOUT"),
    ("documents", "health-imports-app", "warning", "docker-compose.yml", "inspect ping"),
    ("documents", "health-cannot-run", "error", "docker-compose.yml", "curl"),
    ("documents", "task-lost", "warning", "__init__.py", "task_acks_late"),
    ("documents", "broker", "warning", "docker-compose.yml", "--save"),
    ("documents", "secret-in-image", "error", "Dockerfile", "OPENAI_API_KEY"),
    ("documents", "secret-in-environment", "warning", "docker-compose.yml", "DATABASE_URL"),
    ("classifier", "ray-per-worker", "error", "app.py", "ray.init()"),
    ("classifier", "shm-default", "warning", "docker-compose.yml", "api:"),
    ("classifier", "limit-below-workers", "error", "docker-compose.yml", "memory: 500M"),
    ("classifier", "reservation-above-limit", "error", "docker-compose.yml", "memory: 500M"),
    ("classifier", "fixed-with-replicas", "error", "docker-compose.yml", "container_name"),
    ("classifier", "fixed-with-replicas", "error", "docker-compose.yml", "8000:8000"),
    ("classifier", "upstream-fixed", "warning", "nginx.conf", "server api:8000"),
    ("classifier", "localhost", "error", "nginx.conf", "127.0.0.1"),
    ("classifier", "base-unpinned", "warning", "Dockerfile", "python:latest"),
    ("classifier", "variable-imaginary", "warning", "docker-compose.yml", "RAY_HEAD_SERVICE_PORT"),
    ("classifier", "variable-imaginary", "warning", "docker-compose.yml", "RAY_DISABLE_IMPORT_WARNING"),
]


@pytest.fixture(scope="module")
def found() -> dict[str, tuple[AuditFinding, ...]]:
    host = read_host(MAC)
    return {
        name: once(one for one, _ in audit(read_deployment(paths, host if name == "documents" else None)))
        for name, paths in FILES.items()
    }


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: "-".join(fault[:3]))
def test_every_fault_is_found_on_its_line(
    found: dict[str, tuple[AuditFinding, ...]], fault: tuple[str, str, str, str, str]
) -> None:
    system, rule, severity, file, text = fault
    lines = [
        (ROOT / one.file).read_text(encoding="utf-8").splitlines()[one.line - 1]
        for one in found[system]
        if one.rule == rule and one.severity == severity and one.file.rpartition("/")[2] == file
    ]
    assert any(text in line for line in lines), lines


def test_no_secret_is_shown(found: dict[str, tuple[AuditFinding, ...]]) -> None:
    shown = "".join(one.to_json() for some in found.values() for one in some)
    assert "not-so-secret" not in shown
    assert "sk-not-a-real-one" not in shown
    assert "forms:forms@" not in shown


def test_every_finding_says_what_to_write_and_why(found: dict[str, tuple[AuditFinding, ...]]) -> None:
    for some in found.values():
        assert all(one.before and one.after and one.because and one.source and one.line > 0 for one in some)
