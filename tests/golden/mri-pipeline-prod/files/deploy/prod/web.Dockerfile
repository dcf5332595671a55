# rendered by mlpack; changes belong in mlpack.yaml or compose.override.yaml
# Built from the project's folder: docker build --file deploy/prod/web.Dockerfile .
ARG BASE_IMAGE="python:3.11-slim-bookworm"

# Empty here; a build context named `wheels` takes its place (build.wheelhouse, or docker build --build-context wheels=DIR).
FROM scratch AS wheels

FROM ${BASE_IMAGE} AS base

FROM base AS build
ARG PIP_INDEX_URL
# PyTorch's wheels without CUDA come from here where the plan needs no card; empty: only pip's own index.
ARG PIP_EXTRA_INDEX_URL=""
# Libraries that may stay missing, with commas between them; see the message of check_image.py.
ARG MLPACK_IGNORE_LIBRARIES=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv --without-pip /opt/venv
COPY ["requirements.txt", "requirements*.txt", "constraints*.txt", "./"]
# A secret named `ca` (build.ca) is trusted while packages are fetched, and leaves no trace.
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,from=wheels,target=/wheels \
    --mount=type=secret,id=ca,target=/run/secrets/ca \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    python -m pip --python /opt/venv/bin/python install --find-links /wheels --requirement requirements.txt
COPY ["deploy/prod/check_image.py", "/tmp/"]
RUN ["python", "/tmp/check_image.py", "/opt/venv", "uvicorn"]

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
EXPOSE 8000
STOPSIGNAL SIGTERM
CMD ["python", "/opt/mri-pipeline/deploy/prod/web_uvicorn.py", "backend.main:app", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", "--timeout-worker-healthcheck", "37", "--timeout-graceful-shutdown", "30", "--log-level", "info"]
