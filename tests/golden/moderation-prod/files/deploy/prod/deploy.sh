#!/bin/sh
# rendered by mlpack; changes belong in mlpack.yaml or compose.override.yaml
#
# Runs moderation (prod) on a server with Docker; mlpack is not needed there.
#
#   deploy.sh [up]      check, prepare, build, start, and wait until everything is healthy
#   deploy.sh check     only say what is missing
#   deploy.sh secrets   only make the secrets that are missing; `up` does it too
#   deploy.sh status    containers and their health
#   deploy.sh logs      follow the logs
#   deploy.sh down      stop and remove containers; volumes and their data stay
# shellcheck disable=SC2016  # names are in single quotes so that nothing in them is expanded
set -eu
cd "$(CDPATH='' dirname -- "$0")"

wait_s=3960
uid=10001

say() { printf '%s\n' "deploy.sh: $*" >&2; }
die() { say "$*"; exit 1; }

# at_least FOUND WANTED: FOUND is version WANTED or newer
at_least() {
    [ "$(printf '%s\n%s\n' "$1" "$2" | sort -t . -k 1,1n -k 2,2n -k 3,3n | head -n 1)" = "$2" ] || [ "$1" = "$2" ]
}

# plain VERSION: digits and dots only (v2.26.1-4 -> 2.26.1)
plain() { printf '%s' "$1" | sed 's/^v//; s/[^0-9.].*$//'; }

check_tools() {
    command -v docker >/dev/null 2>&1 || die "docker is not installed (docs.docker.com/engine/install)"
    engine=$(docker version --format '{{.Server.Version}}' 2>/dev/null) ||
        die "the Docker engine does not answer: is it running, and may this user talk to it?"
    at_least "$(plain "$engine")" 25.0 || die "Docker engine $engine is too old: 25.0 or newer is needed"
    compose=$(docker compose version --short 2>/dev/null) || die "Docker's compose plugin is not installed: docker-compose-plugin of Docker's packages (docs.docker.com/compose/install/linux)"
    at_least "$(plain "$compose")" 2.20.2 || die "Compose $compose is too old: 2.20.2 or newer is needed"
}

# The engine's own memory, which on Docker Desktop is that of its virtual machine
check_memory() {
    total=$(docker info --format '{{.MemTotal}}' 2>/dev/null) || return 0
    [ "$((total / 1048576))" -ge 7415 ] ||
        die "the limits add up to 7415 MiB, the engine has $((total / 1048576)): plan again for this machine"
}

# check_model PATH: there, and readable by a container's user
check_model() {
    [ -e "$1" ] || die "weights are missing: $1 (put them there; DEPLOYMENT.md says where they come from)"
    [ "$(uname -s)" = Linux ] || return 0
    closed=$(find -L "$1" \( -type f ! -perm -o=r \) -o \( -type d ! -perm -o=x \) | head -n 1)
    [ -z "$closed" ] || die "containers run as uid $uid and cannot read $closed; mend it with: chmod -R o+rX '$1'"
}

# prepare_folder PATH: there; its owner is the service mlpack-folders' to set, from where nothing else is in reach
prepare_folder() { mkdir -p -- "$1"; }

make_secrets() { :; }

check() {
    check_tools
    check_memory
    prepare_folder ../../logs
}

has_card() { command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L 2>/dev/null | grep -q GPU; }

# compose ARGUMENT...: with the override files that apply, yours last
compose() {
    [ ! -f compose.override.yaml ] || set -- --file compose.override.yaml "$@"
    if [ -f compose.gpu.yaml ]; then
        if has_card; then set -- --file compose.gpu.yaml "$@"
        else say "no NVIDIA card answers here: on the processor, for which nothing was planned (mlpack plan, device: cpu)"; fi
    fi
    docker compose --file compose.yaml "$@"
}

# culprits: the last lines of whatever ended with an error, starts again and again, or is ill
culprits() {
    compose ps --all --quiet | while read -r container; do
        found=$(docker inspect --format '{{.Name}} {{.State.Status}} {{.State.ExitCode}} {{if .State.Health}}{{.State.Health.Status}}{{end}}' "$container")
        case $found in
            *' exited 0 '*) continue ;;
            *' exited '* | *' dead '* | *' restarting '* | *' unhealthy') ;;
            *) continue ;;
        esac
        say "last lines of ${found#/}"
        docker logs --tail 30 "$container" 2>&1 | sed 's/^/  /' >&2
    done
}

case ${1:-up} in
    up)
        check
        make_secrets
        if ! compose up --detach --build --remove-orphans --wait --wait-timeout "$wait_s"; then
            compose ps --all >&2 || true
            culprits || true
            die "not healthy within $wait_s s, or not started; all that was said: $0 logs"
        fi
        compose ps
        ;;
    check) check; say "everything is here" ;;
    secrets) make_secrets ;;
    status) check_tools; compose ps --all ;;
    logs) check_tools; compose logs --follow --tail 200 ;;
    down) check_tools; compose down --remove-orphans ;;
    *) die "unknown command: $1 (up, check, secrets, status, logs, down)" ;;
esac
