#!/bin/sh
# One step of a pipeline: sh ci/step.sh install|check|verify. Settings come as MLPACK_* variables; what GitHub's runner
# reads back (summary, outputs) is written where its variables say, and left out elsewhere.
set -eu
project=${MLPACK_PROJECT:-.}
reports=${MLPACK_REPORTS:-mlpack-report}
python=${MLPACK_PYTHON:-python3}

say() { printf '%s\n' "$*"; }

output() { # NAME VALUE
    if [ -n "${GITHUB_OUTPUT:-}" ]; then printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"; fi
}

install() {
    "$python" -m venv "$MLPACK_VENV"
    "$MLPACK_VENV/bin/python" -m pip install --quiet --disable-pip-version-check "$MLPACK_SOURCE"
    if [ -n "${GITHUB_PATH:-}" ]; then printf '%s\n' "$MLPACK_VENV/bin" >>"$GITHUB_PATH"; fi
}

# shellcheck disable=SC2086 # profiles are words: "prod gpu"
check() {
    code=0
    mlpack render ${MLPACK_PROFILES:-prod} --check --project "$project" || code=$?
    output current "$([ "$code" -eq 0 ] && echo true || echo false)"
    return "$code"
}

# shellcheck disable=SC2086
verify() {
    mkdir -p "$reports"
    code=0
    mlpack verify ${MLPACK_PROFILES:-prod} --project "$project" --launcher "${MLPACK_LAUNCHER:-auto}" \
        --annotate "${MLPACK_ANNOTATE:-auto}" --report "$reports/verify.json" --report "$reports/verify.html" \
        --report "$reports/verify.md" --report "$reports/junit.xml" || code=$?
    if [ -n "${GITHUB_STEP_SUMMARY:-}" ] && [ -f "$reports/verify.md" ]; then
        cat "$reports/verify.md" >>"$GITHUB_STEP_SUMMARY"
    fi
    case $code in
        0) verdict=passed ;;
        1) verdict=failed ;;
        4) verdict=not-proven ;; # planned for cards that this machine does not have
        *) verdict=error ;;
    esac
    output verdict "$verdict"
    if [ "$code" -eq 4 ] && [ "${MLPACK_ALLOW_NOT_PROVEN:-false}" = true ]; then code=0; fi
    return "$code"
}

case ${1:-} in
    install | check | verify) "$1" ;;
    *)
        say "usage: sh ci/step.sh install|check|verify" >&2
        exit 2
        ;;
esac
