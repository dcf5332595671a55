#!/bin/sh
# rendered by mlpack; changes belong in mlpack.yaml or compose.override.yaml
#
# Runs documents (prod-watch) on a server with Docker; mlpack is not needed there.
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

wait_s=1905
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
    [ "$((total / 1048576))" -ge 1355 ] ||
        die "the limits add up to 1355 MiB, the engine has $((total / 1048576)): plan again for this machine"
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

# make_secret NAME: random, unless there is a value; never shown, and mode 0600 by the umask
make_secret() {
    if [ -s "secrets/$1" ]; then
        chmod 0600 -- "secrets/$1"
        return 0
    fi
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"secrets/$1.new"
    mv -f -- "secrets/$1.new" "secrets/$1"
    say "made $PWD/secrets/$1 at random; a value of your own goes into the same file, then run this again"
}

# env_line NAME BEFORE SECRET AFTER: the variable as a line of an env file, the secret's value between the two texts
env_line() {
    value=$(cat "secrets/$3")
    case $value in *'
'*) die "secrets/$3 has several lines, which a variable cannot hold" ;; esac
    if [ -n "$2$4" ]; then
        case $value in *[!A-Za-z0-9._~-]*) die "secrets/$3 becomes part of $1: only letters, digits and . _ ~ - work there" ;; esac
    fi
    printf '%s="%s"\n' "$1" "$(printf '%s' "$2$value$4" | sed 's/[\\"$]/\\&/g')"
}

# make_certificate NAME DOMAIN: self-made, unless secrets/NAME.crt and NAME.key were put there
make_certificate() {
    if [ -s "secrets/$1.crt" ] && [ -s "secrets/$1.key" ]; then return 0; fi
    [ ! -s "secrets/$1.crt" ] && [ ! -s "secrets/$1.key" ] || die "of secrets/$1.crt and secrets/$1.key one is missing"
    command -v openssl >/dev/null 2>&1 || die "no openssl to make a certificate: put one at secrets/$1.crt, its key at secrets/$1.key"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 825 -subj "/CN=$2" \
        -addext "subjectAltName=DNS:$2" -keyout "secrets/$1.key.new" -out "secrets/$1.crt.new" 2>/dev/null ||
        die "openssl could not make a certificate for $2"
    mv -f -- "secrets/$1.key.new" "secrets/$1.key"
    mv -f -- "secrets/$1.crt.new" "secrets/$1.crt"
    say "made a certificate for $2 that no browser trusts: put a real one at $PWD/secrets/$1.crt, its key beside it"
}

# open_secret NAME UID: a container's user can read the mounted file; on the machine only who may enter the folder
open_secret() {
    if [ "$(uname -s)" = Linux ] && [ "$(id -u)" -eq 0 ]; then
        chown "$2:$2" -- "secrets/$1"
        chmod 0400 -- "secrets/$1"
    else
        chmod 0444 -- "secrets/$1"
    fi
}

make_secrets() (
    umask 077
    mkdir -p secrets
    chmod 0700 secrets
    printf '%s\n' '*' >secrets/.gitignore
    make_secret db-password
    make_secret django-key
    make_secret flower-password
    make_secret queue-password
    {
        env_line SECRET_KEY '' django-key ''
        env_line CELERY_BROKER_URL redis://: queue-password @queue:6379/0
        env_line DATABASE_URL postgresql://postgres: db-password @db:5432/postgres
    } >secrets/web.env.new
    mv -f -- secrets/web.env.new secrets/web.env
    {
        env_line SECRET_KEY '' django-key ''
        env_line CELERY_BROKER_URL redis://: queue-password @queue:6379/0
        env_line DATABASE_URL postgresql://postgres: db-password @db:5432/postgres
    } >secrets/worker.env.new
    mv -f -- secrets/worker.env.new secrets/worker.env
    {
        env_line REDISCLI_AUTH '' queue-password ''
    } >secrets/queue.env.new
    mv -f -- secrets/queue.env.new secrets/queue.env
    {
        env_line FLOWER_BASIC_AUTH admin: flower-password ''
        env_line CELERY_BROKER_URL redis://: queue-password @queue:6379/0
    } >secrets/flower.env.new
    mv -f -- secrets/flower.env.new secrets/flower.env
    open_secret db-password 70
)

check() {
    check_tools
    check_memory
    check_model ../../models/SmolLM2-135M-Instruct.Q4_1.gguf
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
