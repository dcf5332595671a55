# rendered by mlpack; changes belong in mlpack.yaml or compose.override.yaml
# Built from the project's folder: docker build --file deploy/prod/worker.Dockerfile .
ARG BASE_IMAGE="python:3.11-slim-bookworm"
ARG CONDA_IMAGE="mambaorg/micromamba:2.0-debian12-slim"
# conda, or pip where no conda channel can be reached
ARG MLPACK_ENVIRONMENT=conda

# Empty here; a build context named `wheels` takes its place (build.wheelhouse, or docker build --build-context wheels=DIR).
FROM scratch AS wheels

FROM ${BASE_IMAGE} AS base

# The environment as exported names one machine: cleaned of prefix and build strings, and said for pip as well.
FROM base AS cleaned
WORKDIR /build
COPY ["environment.yml", "deploy/prod/conda_env.py", "./"]
RUN ["python", "/build/conda_env.py", "/build/environment.yml", "/build/clean"]

# From conda's channels. Unproven: mlpack's own tests reach no channel and build the other one.
FROM ${CONDA_IMAGE} AS build-conda
COPY --from=cleaned ["/build/clean/environment.yml", "/tmp/environment.yml"]
# hadolint ignore=DL3002,DL3066
USER root
RUN micromamba create --yes --prefix /opt/venv --file /tmp/environment.yml && micromamba clean --all --yes

# The same packages from pip, where no channel can be reached.
FROM base AS build-pip
ARG PIP_INDEX_URL
# PyTorch's wheels without CUDA come from here where the plan needs no card; empty: only pip's own index.
ARG PIP_EXTRA_INDEX_URL="https://download.pytorch.org/whl/cpu"
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/venv
COPY --from=cleaned ["/build/clean/requirements.txt", "/build/requirements.txt"]
# A secret named `ca` (build.ca) is trusted while packages are fetched, and leaves no trace.
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,from=wheels,target=/wheels \
    --mount=type=secret,id=ca,target=/run/secrets/ca \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    python -m pip --python /opt/venv/bin/python install --find-links /wheels --requirement /build/requirements.txt

# hadolint ignore=DL3006
FROM build-${MLPACK_ENVIRONMENT} AS made

# conda's interpreter is part of its environment; programs are checked by the base's.
FROM base AS build
ARG MLPACK_IGNORE_LIBRARIES=""
COPY --from=made ["/opt/venv", "/opt/venv"]
COPY ["deploy/prod/check_image.py", "/tmp/"]
RUN ["python", "/tmp/check_image.py", "/opt/venv", "celery"]

# The project's files, readable whatever the builder's umask was.
FROM base AS source
WORKDIR "/opt/mri-pipeline"
COPY [".", "./"]
RUN chmod -R u=rwX,go=rX .

FROM base
LABEL org.opencontainers.image.title="mri-pipeline"
# HOME: libraries that keep a cache find a folder they may write to; the root file system is read-only.
ENV PATH="/opt/venv/bin:$PATH" HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN groupadd --gid 10001 app \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin app
COPY --from=build ["/opt/venv", "/opt/venv"]
COPY --from=source ["/opt/mri-pipeline", "/opt/mri-pipeline"]
# Volumes take their owner from these folders.
RUN install --directory --owner=10001 --group=10001 /opt/mri-pipeline/data
WORKDIR "/opt/mri-pipeline"
USER 10001:10001
STOPSIGNAL SIGTERM
CMD ["celery", "--app", "backend.tasks:celery", "worker", "--pool", "prefork", "--concurrency", "4", "--prefetch-multiplier", "1", "--loglevel", "info", "--include", "deploy.prod.worker_heartbeat", "--soft-time-limit", "630", "--time-limit", "660", "--", "task.acks_late=true", "task.reject_on_worker_lost=true", "worker.proc_alive_timeout=60"]
