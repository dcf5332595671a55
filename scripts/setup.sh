#!/bin/sh
# Makes .venv with mlpack in it. Usage: scripts/setup.sh [test]   ("test" adds what tests and checks need)
set -eu
cd "$(dirname "$0")/.."
groups=${1:-run}
python=${PYTHON:-python3}

say() { printf '%s\n' "$*" >&2; }

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    say "mlpack needs Python 3.11 or newer; \"$python\" is not. Name another one: make PYTHON=python3.12 ..."
    exit 1
fi
# The page of an example is tested in a browser; elsewhere that test says why it is skipped.
if [ "$groups" = test ] && [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] && ! command -v chromium >/dev/null; then
    say "installing chromium for the browser test ..."
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium; } \
        </dev/null >/dev/null 2>&1 || say "chromium could not be installed: apt-get install chromium says why"
fi
stamp=.venv/.mlpack-$groups
if [ -f "$stamp" ] && [ ! pyproject.toml -nt "$stamp" ]; then
    exit 0
fi
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing python3-venv ..."
        apt-get -qq update >/dev/null && apt-get -qq install -y --no-install-recommends python3-venv >/dev/null
    else
        say "$python cannot make virtual environments; install its venv module (Debian: apt install python3-venv)"
        exit 1
    fi
fi
say "setting up .venv ..."
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
if [ "$groups" = test ]; then
    .venv/bin/python -m pip install --quiet --editable . --group test --group lint
else
    .venv/bin/python -m pip install --quiet --editable .
fi
touch "$stamp"
