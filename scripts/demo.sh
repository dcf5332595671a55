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
if ! docker info >/dev/null 2>&1 && [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] && [ -z "${MLPACK_DEMO_NO_ENGINE:-}" ]; then
    scripts/engine.sh install && scripts/engine.sh start && scripts/engine.sh base-image ||
        echo "no container engine could be set up here: the demo goes on with local processes" >&2
fi
cd "$example"
show mlpack probe
show mlpack estimate --measure
show mlpack plan prod --explain
show mlpack render prod
show mlpack verify prod --report verify.json
printf '\nThe rendered files and the report are in %s.\n' "$example"
