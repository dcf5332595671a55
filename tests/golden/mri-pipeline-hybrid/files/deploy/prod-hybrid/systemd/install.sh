#!/bin/sh
# rendered by mlpack; changes belong in mlpack.yaml, or in a drop-in: systemctl edit NAME
#
# Runs mri-pipeline (prod-hybrid) as units of systemd on this host; mlpack is not needed there. As root:
#
#   install.sh [install]   check, prepare, install, start, and wait until the models are loaded; may be repeated
#   install.sh check       only say what is missing; changes nothing
#   install.sh secrets     only make the secrets that are missing; `install` does it too
#   install.sh status      the units
#   install.sh logs        follow the project's journal
#   install.sh uninstall   stop and remove the units; data, secrets and the Python environment stay
# shellcheck disable=SC2016  # names are in single quotes so that nothing in them is expanded
set -eu
cd "$(CDPATH='' dirname -- "$0")"
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

name=mri-pipeline
root=/opt/mri-pipeline
folder=deploy/prod-hybrid/systemd
user=mri-pipeline
uid=10001                   # of containers that share folders with units; empty where there are none
etc=/etc/$name
units=/etc/systemd/system

say() { printf '%s\n' "install.sh: $*" >&2; }
die() { say "$*"; exit 1; }

as_user() { runuser -u "$user" -- "$@"; }

check_place() {
    [ "$(CDPATH='' cd "$root/$folder" 2>/dev/null && pwd -P)" = "$(pwd -P)" ] ||
        die "the project must lie at $root, this is $PWD: move it there, or set \`root:\` in mlpack.yaml and render again"
}

check_system() {
    [ "$(id -u)" -eq 0 ] || die "run it as root: it writes to $units and $etc"
    [ -d /run/systemd/system ] || die "this machine was not started by systemd"
    found=$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')
    [ "${found:-0}" -ge 247 ] || die "systemd $found is too old: 247 or newer is needed"
}

# The limits against what this machine has
check_memory() {
    total=$(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo)
    [ "$((total / 1024))" -ge 9903 ] ||
        die "the limits add up to 9903 MiB, this machine has $((total / 1024)): plan again for it"
}

# check_model PATH: there, and readable by the units' user
check_model() {
    [ -e "$root/$1" ] || die "weights are missing: $root/$1 (put them there; DEPLOYMENT.md says where they come from)"
    as_user test -r "$root/$1" || die "$user cannot read $root/$1; mend it with: chmod -R o+rX '$root/$1' (and its folders)"
}

# check_user: there; made by prepare_user where its name is mlpack's own
check_user() {
    id -u "$user" >/dev/null 2>&1 || die "there is no user $user: make it, or set \`host: {user: ...}\` in mlpack.yaml"
    [ -z "$uid" ] || [ "$(id -u "$user")" = "$uid" ] ||
        die "$user has uid $(id -u "$user"), containers that share its folders have $uid: write \`host: {user: $user, uid: $(id -u "$user")}\` in mlpack.yaml and render again, or leave host.user out, and $name is made with that uid"
}

prepare_user() {
    if ! id -u "$user" >/dev/null 2>&1; then
        owner=$(getent passwd "${uid:-none}" | cut -d : -f 1)
        [ -z "$owner" ] || die "uid $uid belongs to $owner here, containers that share folders with units need it"
        if [ -n "$uid" ]; then
            getent group "$uid" >/dev/null || groupadd --gid "$uid" "$user"
            useradd --uid "$uid" --gid "$uid" --no-create-home --home-dir "$root" --shell /usr/sbin/nologin "$user"
        else
            useradd --system --user-group --no-create-home --home-dir "$root" --shell /usr/sbin/nologin "$user"
        fi
        say "made the user $user"
    fi
    check_user
}

# made FOLDER FILE...: the environment is there, made from these files as they are now; else what to note once it is
made() {
    folder_made=$1
    shift
    wanted=$(cat -- "$@" | sha256sum | cut -c 1-64)
    [ -x "$folder_made/bin/python" ] && [ "$(cat "$folder_made/.mlpack-made-from" 2>/dev/null)" = "$wanted" ]
}

# make_venv FOLDER FILE...: an environment beside the project, from pip's requirements; made again when they change
make_venv() {
    ! made "$@" || return 0
    venv=$1
    shift
    base=$(command -v python3.11 || command -v python3) || die "there is no python3.11 to make an environment with"
    say "making $venv with $base"
    "$base" -m venv "$venv" || die "$base cannot make environments (Debian: install python3-venv)"
    for file in "$@"; do
        # PyTorch's wheels without CUDA are there, where the plan needs no card; set the variable, even to nothing, to change it
        PIP_EXTRA_INDEX_URL=${PIP_EXTRA_INDEX_URL-https://download.pytorch.org/whl/cpu} \
            "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$file" ||
            die "pip could not install $file"
    done
    printf '%s\n' "$wanted" >"$venv/.mlpack-made-from"
}

# make_conda FOLDER FILE: from conda's channels (unproven: mlpack's tests reach none), or with MLPACK_ENVIRONMENT=pip from pip
make_conda() {
    ! made "$@" || return 0
    note=$wanted
    cleaned=$(mktemp -d)
    python3 conda_env.py "$2" "$cleaned" || die "$2 cannot be read"
    if [ "${MLPACK_ENVIRONMENT:-conda}" = pip ]; then
        make_venv "$1" "$cleaned/requirements.txt"
    elif tool=$(command -v micromamba || command -v mamba); then
        "$tool" create --yes --prefix "$1" --file "$cleaned/environment.yml" || die "$tool could not make $1"
    elif tool=$(command -v conda); then
        "$tool" env create --prefix "$1" --file "$cleaned/environment.yml" || die "$tool could not make $1"
    else
        die "neither micromamba nor conda is installed: install one, or set MLPACK_ENVIRONMENT=pip for the same packages from pip"
    fi
    rm -rf -- "$cleaned"
    printf '%s\n' "$note" >"$1/.mlpack-made-from"
}

prepare_python() {
    :
    make_conda /opt/mri-pipeline/.conda "$root/"environment.yml
}

check_python() {
    :
    as_user test -x /opt/mri-pipeline/.conda/bin/python || die 'mri-pipeline cannot run /opt/mri-pipeline/.conda/bin/python: is it there, and may the user enter its folders?'
    (cd / && as_user /opt/mri-pipeline/.conda/bin/python -c 'import celery') 2>/dev/null || die '/opt/mri-pipeline/.conda/bin/python cannot import celery: install the requirements there'
}

# prepare_folder PATH [WORDS OF FIND]: there, and owned by the units' user, with what root left in it. No link is followed,
# and a file with several names stays: one may be outside. The words pass over what the project itself keeps there.
prepare_folder() {
    data_folder=$1
    shift
    owner="$(id -u "$user"):$(id -g "$user")"
    mkdir -p -- "$data_folder"
    chown "$owner" -- "$data_folder"
    # Without this a unit that writes there could give a file of root's a name in the folder just after find has looked.
    if [ "$(cat /proc/sys/fs/protected_hardlinks 2>/dev/null)" != 1 ]; then
        say "fs.protected_hardlinks is off: what root left in $data_folder stays root's"
        return 0
    fi
    find -H "$data_folder" -ignore_readdir_race -xdev -mindepth 1 "$@" \
        -uid 0 '(' -type d '!' -execdir mountpoint -q '{}' ';' -o -type f -links 1 ')' -execdir chown -h "$owner" {} + ||
        die "not all that root left in $data_folder could be given to $user: see above"
}

# make_secret NAME: random, unless there is a value; never shown, and mode 0600 by the umask
make_secret() {
    if [ -s "../secrets/$1" ]; then
        chmod 0600 -- "../secrets/$1"
        return 0
    fi
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"../secrets/$1.new"
    mv -f -- "../secrets/$1.new" "../secrets/$1"
    say "made $root/$folder/../secrets/$1 at random; a value of your own goes into the same file, then run this again"
}

make_secrets() (
    umask 077
    mkdir -p ../secrets
    chmod 0700 ../secrets
    printf '%s\n' '*' >../secrets/.gitignore
    make_secret queue-password
)

# env_line NAME BEFORE SECRET AFTER: the variable as a line of an environment file, the secret's value between the texts
env_line() {
    value=$(cat "../secrets/$3")
    case $value in *'
'*) die "secrets/$3 has several lines, which a variable cannot hold" ;; esac
    if [ -n "$2$4" ]; then
        case $value in *[!A-Za-z0-9._~-]*) die "secrets/$3 becomes part of $1: only letters, digits and . _ ~ - work there" ;; esac
    fi
    printf '%s="%s"\n' "$1" "$(printf '%s' "$2$value$4" | sed 's/[\\"$]/\\&/g')"
}

changed=''

# put FILE DESTINATION MODE: FILE is there then; `changed` says whether it was not
put() {
    changed=''
    if cmp -s -- "$1" "$2"; then
        chmod "$3" -- "$2"
        return 0
    fi
    changed=yes
    install -m "$3" -o root -g root -- "$1" "$2.new"
    mv -f -- "$2.new" "$2"
}

# put_service SERVICE UNIT: its environment, made with the secrets in it, and its unit; restarted if either changed
put_service() {
    (umask 077 && environment_of "$1" >"$etc/$1.env.made")
    put "$etc/$1.env.made" "$etc/$1.env" 0600
    rm -f -- "$etc/$1.env.made"
    touched=$changed
    put "$2" "$units/$2" 0644
    [ -z "$changed" ] || reload=yes
    for file in "$1".Caddyfile "$1".nginx.conf; do
        [ -f "../$file" ] || continue
        touched=$touched$changed
        put "../$file" "$etc/$file" 0644
    done
    if [ -n "$touched$changed" ] && systemctl is-active --quiet "$2"; then stale="$stale $2"; fi
}

# environment_of SERVICE
environment_of() {
    cat -- "$1.env"
    case $1 in
    worker)
        env_line CELERY_BROKER_URL redis://: queue-password @127.0.0.1:6379/0
        ;;
    *) ;;
    esac
}

check() {
    check_place
    check_system
    check_memory
    check_user
    check_model 'weights/knee $v2.safetensors'
    check_python
}

failed() {
    systemctl --no-pager --lines 0 status mri-pipeline-worker.service >&2 || true
    journalctl --namespace="$name" --no-pager --lines 30 >&2 || true
    die "not every unit started; the reason is above, more of it in: $0 logs"
}

install_all() {
    check_place
    check_system
    prepare_user
    prepare_python
    check
    prepare_folder /opt/mri-pipeline/data
    make_secrets
    install -d -m 0755 -o root -g root "$etc"
    reload=''
    stale=''
    put "journald@$name.conf" "/etc/systemd/journald@$name.conf" 0644
    journal=$changed
    put mri-pipeline.target "$units/mri-pipeline.target" 0644
    [ -z "$changed" ] || reload=yes
    put_service worker mri-pipeline-worker.service
    [ -z "$reload" ] || systemctl daemon-reload
    [ -z "$journal" ] || systemctl try-restart "systemd-journald@$name.service" || true
    systemctl --quiet enable mri-pipeline.target mri-pipeline-worker.service
    # shellcheck disable=SC2086  # names of units, without blanks
    [ -z "$stale" ] || systemctl restart $stale || failed
    systemctl start mri-pipeline.target mri-pipeline-worker.service || failed
    say "running: "mri-pipeline-worker.service
}

uninstall() {
    [ "$(id -u)" -eq 0 ] || die "run it as root"
    for unit in mri-pipeline-worker.service mri-pipeline.target; do
        [ -e "$units/$unit" ] || continue
        systemctl --quiet disable --now "$unit" || true
        systemctl reset-failed "$unit" 2>/dev/null || true
        rm -f -- "$units/$unit"
        [ ! -d "$units/$unit.d" ] || say "kept your changes in $units/$unit.d"
    done
    systemctl stop "systemd-journald@$name.socket" "systemd-journald-varlink@$name.socket" "systemd-journald@$name.service" 2>/dev/null || true
    rm -f -- "/etc/systemd/journald@$name.conf"
    rm -f -- "$etc/"worker.env "$etc/"worker.Caddyfile
    rmdir -- "$etc" 2>/dev/null || true
    systemctl daemon-reload
    say "the units are gone; kept: $root with its data, the secrets, /var/lib/$name-*, the user $user"
}

case ${1:-install} in
    install) install_all ;;
    check) check; say "everything is here" ;;
    secrets) check_place; make_secrets ;;
    status) systemctl --no-pager --lines 0 status mri-pipeline.target mri-pipeline-worker.service ;;
    logs) exec journalctl --namespace="$name" --follow --lines 200 ;;
    uninstall) uninstall ;;
    *) die "unknown command: $1 (install, check, secrets, status, logs, uninstall)" ;;
esac
