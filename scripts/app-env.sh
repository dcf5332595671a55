#!/bin/sh
# Makes FOLDER/.venv with the requirements of an example: what its service runs on outside containers.
# Usage: scripts/app-env.sh FOLDER
set -eu
folder=$1
python=${PYTHON:-python3}
stamp=$folder/.venv/.complete
if [ -f "$stamp" ] && [ ! "$folder/requirements.txt" -nt "$stamp" ]; then
    exit 0
fi
printf 'setting up %s/.venv (frameworks are large; this takes a minute or two) ...\n' "$folder" >&2
[ -x "$folder/.venv/bin/python" ] || "$python" -m venv "$folder/.venv"
# Where wheels come from is the user's pip configuration; without any, PyTorch's CPU index keeps CUDA libraries out.
if [ -z "${PIP_FIND_LINKS:-}${PIP_INDEX_URL:-}${PIP_EXTRA_INDEX_URL:-}" ] && [ -z "$("$python" -m pip config list)" ]; then
    PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
    export PIP_EXTRA_INDEX_URL
fi
"$folder/.venv/bin/python" -m pip install --quiet --upgrade pip
"$folder/.venv/bin/python" -m pip install --quiet --requirement "$folder/requirements.txt"
touch "$stamp"
