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
# What failed beside others runs once more with the machine to itself: some tests measure memory and time of real
# processes. A failure then is a failure; a run that broke without naming a test fails too.
again() { .venv/bin/pytest --last-failed --last-failed-no-failures none -p no:xdist -m "$1"; }
.venv/bin/pytest -n auto -m "not engine" || again "not engine"
.venv/bin/pytest -m engine -p no:xdist || again engine
