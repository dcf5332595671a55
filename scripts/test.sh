#!/bin/sh
# All tests. Root on Debian gets a container engine first; elsewhere the machine's own is used where it has one.
set -eu
cd "$(dirname "$0")/.."
if [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ]; then
    if ! { scripts/engine.sh install && scripts/engine.sh start && scripts/engine.sh base-image; }; then
        [ -z "${CI:-}" ] || { echo "CI must have a container engine" >&2; exit 1; }
        echo "no container engine: container tests will be skipped" >&2
    fi
fi
scripts/app-env.sh examples/embedding
.venv/bin/python examples/embedding/fetch_weights.py
scripts/app-env.sh examples/segmentation
(cd examples/segmentation && .venv/bin/python train.py)
.venv/bin/pytest -n auto -m "not engine"
.venv/bin/pytest -m engine -p no:xdist
