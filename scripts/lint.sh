#!/bin/sh
# Types, lint and format of everything; each tool says what it found, all run before the verdict.
set -u
cd "$(dirname "$0")/.." || exit
bad=0
.venv/bin/ruff format --check --quiet . || { echo "format: run .venv/bin/ruff format ." >&2; bad=1; }
.venv/bin/ruff check --quiet . || bad=1
.venv/bin/mypy --no-error-summary || bad=1
.venv/bin/shellcheck scripts/*.sh ci/*.sh || bad=1
exit "$bad"
