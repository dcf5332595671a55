#!/bin/sh
# The main job on a real model: probe, estimate (measured), plan, render, verify. Works on a copy under build/demo.
set -eu
cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH
export PATH
show() { printf '\n$ %s\n' "$*"; "$@"; }

example=build/demo/embedding
mkdir -p build/demo
.venv/bin/python examples/embedding/fetch_weights.py
scripts/app-env.sh examples/embedding
rm -rf "$example"
mkdir -p "$example"
(cd examples/embedding && cp -R app.py mlpack.yaml requirements.txt samples "$OLDPWD/$example/")
ln -s ../../../examples/embedding/.venv "$example/.venv"
ln -s ../../../examples/embedding/weights "$example/weights"
# A container engine is used where one answers; root on Debian gets one installed. Without one, local processes do it.
base=python:3.11-slim-bookworm
if [ -n "${MLPACK_DEMO_NO_ENGINE:-}" ]; then
    DOCKER_HOST=unix:///nonexistent/docker.sock
    export DOCKER_HOST
elif [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] && ! scripts/engine.sh status >/dev/null 2>&1; then
    { scripts/engine.sh install && scripts/engine.sh start; } ||
        echo "no container engine could be set up here: the demo goes on with local processes" >&2
fi
# Where no registry is in reach, a stand-in for the official image is made from Debian's packages.
if docker info >/dev/null 2>&1 && ! docker image inspect "$base" >/dev/null 2>&1 && ! docker pull --quiet "$base"; then
    scripts/engine.sh base-image
fi
cd "$example"
show mlpack probe
show mlpack estimate --measure
show mlpack plan prod --explain
show mlpack render prod
show mlpack verify prod --report verify.json
printf '\nThe rendered files and the report are in %s.\n' "$example"
