#!/bin/sh
# A container engine for tests, on a Debian machine that has none and may have no registry to pull from.
#
#   engine.sh install               Docker engine, compose and buildx from Debian 13's signed packages, into a prefix
#   engine.sh start                 start dockerd by hand (no init system needed) and wait until it answers
#   engine.sh base-image [--force]  a local stand-in for python:3.11-slim-bookworm, made from Debian's packages
#   engine.sh status                one line; exit 0 when engine, compose and buildx are ready
#   engine.sh stop                  stop the daemon that `start` started, and no other
#
# Every command may be repeated; a machine with a working engine of its own is left as it is.
# MLPACK_ENGINE_PREFIX     where everything lives, images included (default /opt/mlpack-engine)
# MLPACK_ENGINE_TIMEOUT_S  how long `start` and `stop` may take in all (default 90)
#
# Why Debian 13's packages on Debian 12 too: Debian 12's engine (20.10) knows neither named build contexts nor a
# health check's start_interval, and newer ones come only from outside Debian. These need no more than libc 2.34;
# runc and iptables are the machine's own. Mirrors are read from the machine's apt sources.
set -eu
umask 022
PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

prefix=$(readlink -m -- "${MLPACK_ENGINE_PREFIX:-/opt/mlpack-engine}" 2>/dev/null || echo /opt/mlpack-engine)
timeout_s=${MLPACK_ENGINE_TIMEOUT_S:-90}
here=$(cd "$(dirname "$0")" && pwd)

engine_suite=trixie                       # Debian 13: engine 26.1, compose 2.26, buildx 0.13
engine_packages="docker.io docker-cli docker-buildx docker-compose containerd tini"
image=python:3.11-slim-bookworm           # the official name, so that rendered Dockerfiles build unchanged
image_suite=bookworm
rootfs_packages=ca-certificates,netbase,tzdata,python3,python3-venv
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

root=$prefix/root                         # the unpacked packages
cache=$prefix/cache
pidfile=$prefix/dockerd.pid
log=$prefix/dockerd.log
sock=/var/run/docker.sock
exec_root=/run/mlpack-engine              # short: it holds unix sockets, whose paths end at 107 bytes
plugins=/usr/local/lib/docker/cli-plugins

say() { echo "engine.sh: $*" >&2; }
die() { say "$*"; exit 1; }

# --- what is there ---------------------------------------------------------------------------------------------

have() { command -v "$1" >/dev/null 2>&1; }

# alive PID: also false for a zombie, which `kill -0` takes for a living process (a container's PID 1 may not reap)
alive() { [ -n "$(readlink "/proc/$1/exe" 2>/dev/null)" ]; }

answers() { have docker && timeout 10 docker info >/dev/null 2>&1; }

compose_version() { timeout 20 docker compose version --short 2>/dev/null | sed 's/^v//'; }

# compose >= 2.20 and any buildx, as plugins of the docker client
tools_ready() {
    have docker || return 1
    timeout 20 docker buildx version >/dev/null 2>&1 || return 1
    version=$(compose_version)
    major=${version%%.*}
    minor=${version#*.}
    minor=${minor%%.*}
    case $major:$minor in
        : | *[!0-9:]* | :* | *:) return 1 ;;
    esac
    [ "$major" -gt 2 ] || { [ "$major" -eq 2 ] && [ "$minor" -ge 20 ]; }
}

# Codename of this Debian (empty when it is not Debian); read in a subshell, as os-release sets many names.
debian_codename() {
    # shellcheck disable=SC1091
    ( . /etc/os-release 2>/dev/null && [ "${ID:-}" = debian ] && echo "${VERSION_CODENAME:-}" ) || true
}

require_debian_root() {
    codename=$(debian_codename)
    case $codename in
        bookworm | trixie) ;;
        *) die "$1 works on Debian 12 and 13 only; elsewhere install Docker Engine with compose and buildx" \
            "(docs.docker.com/engine/install). Nothing was changed" ;;
    esac
    [ "$(id -u)" = 0 ] || die "$1 needs root: run it with sudo. Nothing was changed"
}

# One change at a time: parallel test runs may all call `start`. Descriptor 9 holds the lock until this script ends.
lock() {
    mkdir -p "$prefix"
    exec 9>"$prefix/lock"
    flock -w 600 9 || die "another engine.sh has held $prefix/lock for 10 minutes"
}

# unmount_below DIR: DIR itself too, as dockerd mounts its data-root upon itself
unmount_below() {
    awk -v dir="$1" '$2 == dir || index($2, dir "/") == 1 { print $2 }' /proc/self/mounts | sort -r |
        while read -r mount; do umount -l "$mount" || true; done
}

# --- apt -------------------------------------------------------------------------------------------------------

# apt_sources SUITE: the machine's own Debian mirrors (both of apt's formats) as one-line entries for SUITE.
# Other vendors' archives are left out: an entry counts when its suite is this Debian's and it has `main`.
apt_sources() {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | sed -e 's/#.*//' -e 's/\[[^]]*\]//' |
        awk -v from="$codename" '$1 == "deb" && ($3 == from || $3 == from "-updates" || $3 == from "-security") {
            for (i = 4; i <= NF; i++) if ($i == "main") print $2, $3 }' >"$work/entries"
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -e "$file" ] || continue
        { cat "$file"; echo; } | awk -v from="$codename" '
            function flush(    u, s, i, j, n, m) {
                if (f["types"] ~ /(^| )deb( |$)/ && f["components"] ~ /(^| )main( |$)/ &&
                    f["enabled"] !~ /no|false|0/) {
                    n = split(f["uris"], u, " "); m = split(f["suites"], s, " ")
                    for (i = 1; i <= n; i++) for (j = 1; j <= m; j++)
                        if (s[j] == from || s[j] == from "-updates" || s[j] == from "-security") print u[i], s[j]
                }
                split("", f)
            }
            /^#/ { next }
            /^[ \t]*$/ { flush(); next }
            /^[ \t]/ { gsub(/[ \t]+/, " "); f[key] = f[key] $0; next }
            { at = index($0, ":"); key = tolower(substr($0, 1, at - 1)); value = substr($0, at + 1)
              gsub(/[ \t]+/, " ", value); sub(/^ /, "", value); sub(/ $/, "", value); f[key] = value }
            END { flush() }' >>"$work/entries"
    done
    # only what debootstrap and a container can use as well: no cdrom:, mirror+file: and the like
    sort -u "$work/entries" | awk -v from="$codename" -v to="$1" -v keyring="$keyring" '$1 ~ /^https?:/ {
        sub("^" from, to, $2); print "deb [signed-by=" keyring "] " $1 " " $2 " main" }' >"$work/sources"
    [ -s "$work/sources" ] || die "no http(s) Debian mirror for $codename in /etc/apt/sources.list or sources.list.d"
    cat "$work/sources"
}

# apt_install COMMAND=PACKAGE...: install from the machine's own release the packages whose command is missing
apt_install() {
    missing=
    for pair in "$@"; do
        have "${pair%%=*}" || missing="$missing ${pair#*=}"
    done
    [ -n "$missing" ] || return 0
    say "installing$missing"
    # shellcheck disable=SC2086 # a list of package names
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $missing; } \
        </dev/null >"$work/apt.log" 2>&1 || { tail -n 15 "$work/apt.log" >&2; die "apt-get could not install$missing"; }
}

make_work() {
    mkdir -p "$cache"
    for stale in "$cache"/work.*; do            # of a run that was killed: under the lock nobody else has one
        unmount_below "$stale"
        rm -rf --one-file-system "$stale"
    done
    work=$(mktemp -d "$cache/work.XXXXXX")
    trap 'rm -rf --one-file-system "$work"' EXIT
    trap 'exit 130' INT TERM HUP
}

# --- install ---------------------------------------------------------------------------------------------------

# Debian 13's packages, fetched with apt state of their own: the machine's lists and pins are neither read nor
# changed, and apt checks signatures against Debian's keyring before anything is unpacked.
fetch_engine() {
    ls /usr/share/keyrings/debian-archive-$engine_suite-stable.* >/dev/null 2>&1 ||
        apt_install /nonexistent=debian-archive-keyring     # Debian 12 before 12.11 lacks Debian 13's keys
    mkdir -p "$work/apt/lists/partial" "$work/apt/archives/partial" "$work/debs" "$work/root"
    apt_sources "$engine_suite" >"$work/engine.list"
    set -- -o Dir::Etc::sourcelist="$work/engine.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
        -o Dir::State="$work/apt" -o Dir::State::lists="$work/apt/lists" -o Dir::Cache="$work/apt" \
        -o APT::Sandbox::User=root -o APT::Get::AllowUnauthenticated=false -o Acquire::AllowInsecureRepositories=false
    # shellcheck disable=SC2086 # a list of package names
    ( cd "$work/debs" && apt-get -qq "$@" update && apt-get -qq "$@" download $engine_packages ) \
        </dev/null >"$work/apt.log" 2>&1 ||
        { tail -n 15 "$work/apt.log" >&2; die "could not fetch Debian 13's engine from this machine's mirror"; }
    for deb in "$work"/debs/*.deb; do
        dpkg -x "$deb" "$work/root" || die "cannot unpack $(basename "$deb")"
    done
    "$work/root/usr/sbin/dockerd" --version >/dev/null || die "the fetched dockerd does not run on this machine"
    rm -rf "$root"
    mv "$work/root" "$root"        # in one step: a half-made install is never taken for a whole one
}

# link TARGET NAME: ours, or nobody's, may be replaced; a foreign file stays
link() {
    [ ! -e "$2" ] || [ -L "$2" ] || die "$2 is in the way and not ours: remove or update it, then run install again"
    mkdir -p "$(dirname "$2")"
    ln -sfn "$1" "$2"
}

cmd_install() {
    if tools_ready && { answers || { [ -x "$root/usr/sbin/dockerd" ] && have runc && have iptables; }; }; then
        say "already installed: compose $(compose_version)"
        return 0
    fi
    require_debian_root install
    lock
    make_work
    apt_install runc=runc iptables=iptables
    [ -x "$root/usr/sbin/dockerd" ] || fetch_engine
    have docker || link "$root/usr/bin/docker" /usr/local/bin/docker
    if ! tools_ready; then
        for plugin in docker-compose docker-buildx; do
            link "$root/usr/libexec/docker/cli-plugins/$plugin" "$plugins/$plugin"
        done
    fi
    tools_ready || die "docker ($(command -v docker)) does not find compose >= 2.20 and buildx in $plugins:" \
        "are there older ones in ~/.docker/cli-plugins?"
    say "installed in $root: $("$root/usr/sbin/dockerd" --version | cut -d, -f1), compose $(compose_version)"
}

# --- start and stop --------------------------------------------------------------------------------------------

# Process id of our daemon, if it lives. A pidfile alone proves nothing: it outlives a machine, and ids come again.
our_pid() {
    [ -s "$pidfile" ] || return 1
    pid=$(cat "$pidfile")
    case $(readlink "/proc/$pid/exe" 2>/dev/null) in
        "$root/usr/sbin/dockerd"*) echo "$pid" ;;
        *) return 1 ;;
    esac
}

# What a daemon that did not end in order leaves behind. Pidfiles of a former machine name today's strangers, and
# dockerd and containerd believe them; containerd's record of running tasks is kept only while such a task lives.
clear_leftovers() {
    rm -f "$pidfile" "$exec_root/containerd/containerd.pid"
    find "$exec_root" -type s -delete 2>/dev/null || true
    echo "$exec_root/" >"$prefix/pattern"       # from a file, so that grep does not find its own command line
    if ! grep -qsaF -f "$prefix/pattern" /proc/[0-9]*/cmdline; then
        unmount_below "$exec_root"
        unmount_below "$prefix/data"
        rm -rf "$exec_root"
    fi
    rm -f "$prefix/pattern"
}

# launch: dockerd in a session of its own, with no descriptor of this script, so that it outlives script and job
launch() {
    clear_leftovers
    mkdir -p "$prefix/data" "$exec_root"
    [ ! -e "$log" ] || mv -f "$log" "$log.1"
    (
        cd /
        unset TMPDIR
        PATH=$root/usr/bin:$root/usr/sbin:$PATH
        exec setsid nohup dockerd --host "unix://$sock" --data-root "$prefix/data" --exec-root "$exec_root" \
            --pidfile "$pidfile" </dev/null >"$log" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
    ) &
    launched=$!
}

# wait_ready: 0 when the engine answers, 1 when the daemon ended or the deadline passed
wait_ready() {
    while [ "$(date +%s)" -lt "$deadline" ]; do
        ! answers || return 0
        alive "$1" || return 1
        sleep 0.5
    done
    return 1
}

show_log() { grep -v 'level=info' "$log" | tail -n 25 >&2; }

end_process() {
    kill "$1" 2>/dev/null || return 0
    while [ "$(date +%s)" -lt "$deadline" ]; do
        alive "$1" || return 0
        sleep 0.2
    done
    say "dockerd ($1) did not end in time: killing it"
    kill -9 "$1" 2>/dev/null || true
    sleep 1
}

cmd_start() {
    if answers; then
        say "an engine answers already"
        return 0
    fi
    [ -z "${DOCKER_HOST:-}" ] || [ "$DOCKER_HOST" = "unix://$sock" ] ||
        die "DOCKER_HOST=$DOCKER_HOST does not answer: unset it to use an engine on this machine"
    require_debian_root start
    lock
    [ -x "$root/usr/sbin/dockerd" ] || die "no engine in $root: run '$0 install' first"
    deadline=$(($(date +%s) + timeout_s))
    if pid=$(our_pid); then                     # another caller's start, not yet answering
        wait_ready "$pid" || { show_log; die "dockerd ($pid) does not answer: '$0 stop', then start again"; }
        return 0
    fi
    ! answers || return 0                       # another caller started it while we waited for the lock
    launch
    if ! wait_ready "$launched" && ! alive "$launched" && [ -d "$prefix/data" ]; then
        # It ended by itself: a machine that went down hard may have left a half-written data-root.
        say "dockerd did not start with the kept data; trying an empty data-root"
        cp "$log" "$prefix/dockerd.first.log"
        clear_leftovers
        rm -rf "$prefix/data.broken"
        mv "$prefix/data" "$prefix/data.broken"
        launch
        if wait_ready "$launched"; then
            say "started; the old data is in $prefix/data.broken, its log in $prefix/dockerd.first.log"
        else
            end_process "$launched"
            clear_leftovers
            rm -rf "$prefix/data"
            mv "$prefix/data.broken" "$prefix/data"
        fi
    fi
    if ! answers; then
        what="ended by itself"
        ! alive "$launched" || what="did not answer within $timeout_s s"
        deadline=$(($(date +%s) + 10))
        end_process "$launched"
        show_log
        die "dockerd $what; its whole log: $log"
    fi
    facts='{{.ServerVersion}}, {{.Driver}}, cgroup v{{.CgroupVersion}} {{.CgroupDriver}}'
    say "engine started ($(docker info --format "$facts")); log: $log"
}

cmd_stop() {
    if ! our_pid >/dev/null; then
        say "not running"
        return 0
    fi
    require_debian_root stop
    lock
    pid=$(our_pid) || return 0
    deadline=$(($(date +%s) + timeout_s))
    end_process "$pid"
    rm -f "$pidfile"
    say "stopped"
}

cmd_status() {
    answers || { echo "no engine answers: run '$0 start'"; return 1; }
    tools_ready || { echo "an engine answers, but compose (>= 2.20) or buildx is missing: run '$0 install'"; return 1; }
    echo "ready: engine $(docker info --format '{{.ServerVersion}} (cgroup v{{.CgroupVersion}} {{.CgroupDriver}})')," \
        "compose $(compose_version), buildx $(docker buildx version | cut -d' ' -f2)"
}

# --- base image ------------------------------------------------------------------------------------------------

# A minimal Debian with Python, kept as a tarball: a second image after an engine's end takes seconds.
make_rootfs() {
    apt_install debootstrap=debootstrap
    mirror=$(apt_sources "$image_suite" | awk -v suite="$image_suite" '$4 == suite { print $3; exit }')
    [ -n "$mirror" ] || die "no mirror for $image_suite in this machine's apt sources"
    say "debootstrap of $image_suite (about a minute)"
    debootstrap --variant=minbase --include="$rootfs_packages" --keyring="$keyring" "$image_suite" "$work/rootfs" \
        "$mirror" </dev/null >"$work/debootstrap.log" 2>&1 ||
        { tail -n 15 "$work/debootstrap.log" >&2; die "debootstrap failed"; }
    rm -rf "$work"/rootfs/usr/share/doc/* "$work"/rootfs/usr/share/man/* "$work"/rootfs/usr/share/info/* \
        "$work"/rootfs/usr/share/locale/* "$work"/rootfs/var/cache/apt/* "$work"/rootfs/var/lib/apt/lists/* \
        "$work"/rootfs/var/log/* "$work"/rootfs/etc/apt/sources.list "$work"/rootfs/dev/*
    tar -C "$work/rootfs" --numeric-owner -czf "$work/rootfs.tar.gz" .
    mv "$work/rootfs.tar.gz" "$1"
}

cmd_base_image() {
    answers || die "no engine answers: run '$0 start' first"
    require_debian_root base-image
    lock
    make_work
    mkdir "$work/context"
    cp "$here"/base-image/* "$work/context"
    apt_sources "$image_suite" >"$work/context/debian.list"
    # The machine's way to the network, for builds: CA bundle, apt's proxy and clock settings.
    cp /etc/ssl/certs/ca-certificates.crt "$work/context/ca.pem" 2>/dev/null ||
        die "no CA bundle here: apt-get install ca-certificates"
    apt-config dump | grep -E '^Acquire::(https?::Proxy|Check-(Valid-Until|Date)) ' >"$work/context/90-network" || true
    recipe=$( (cd "$work/context" && cat -- * && echo "$rootfs_packages") | sha256sum | cut -c1-16)

    # Without our label it is the official image, which is better than a stand-in; with another recipe it is stale.
    label='{{with index .Config.Labels "mlpack.stand-in"}}{{.}}{{else}}official{{end}}'
    present=$(docker image inspect --format "$label" "$image" 2>/dev/null || true)
    if [ -z "$force" ]; then
        case $present in
            official | "$recipe") say "$image is there already"; return 0 ;;
        esac
    fi
    tarball=$cache/rootfs-$image_suite-$(dpkg --print-architecture).tar.gz
    [ -z "$force" ] || rm -f "$tarball"
    [ -s "$tarball" ] || make_rootfs "$tarball"
    docker import "$tarball" mlpack-rootfs:$image_suite >/dev/null
    docker build --quiet --label "mlpack.stand-in=$recipe" --tag "$image" "$work/context" </dev/null >/dev/null ||
        die "the build of $image failed: see above"
    docker image rm --no-prune mlpack-rootfs:$image_suite >/dev/null 2>&1 || true
    say "built $image ($(docker image inspect --format '{{.Size}}' "$image") bytes)"
}

usage() {
    sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"
}

force=
command=${1:-}
case $#:$command:${2:-} in
    1:install: | 1:start: | 1:stop: | 1:status:) "cmd_$command" ;;
    1:base-image: | 2:base-image:--force) force=${2:-}; cmd_base_image ;;
    1:-h: | 1:--help: | 1:help:) usage ;;
    *) usage >&2; exit 2 ;;
esac
