#!/bin/sh
# What the official image's entry script does at a first start, as far as compose files rely on it: the password as a
# variable or a file, another user, a database, and root that becomes postgres.
set -eu
if [ "$(id -u)" = 0 ]; then
    chown -R postgres:postgres "$PGDATA"
    exec setpriv --reuid postgres --regid postgres --init-groups "$0" "$@"
fi
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    user=${POSTGRES_USER:-postgres}
    database=${POSTGRES_DB:-$user}
    password=${POSTGRES_PASSWORD_FILE:-}
    if [ -z "$password" ]; then
        password=$(mktemp)
        printf '%s\n' "$POSTGRES_PASSWORD" >"$password"
    fi
    initdb --username="$user" --pwfile="$password" --auth-local=trust --auth-host=trust >/dev/null
    if [ "$database" != postgres ]; then
        printf 'create database "%s";\n' "$database" | postgres --single -j -D "$PGDATA" postgres >/dev/null
    fi
    if [ -z "${POSTGRES_PASSWORD_FILE:-}" ]; then rm "$password"; fi
    printf 'host all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
    printf "listen_addresses = '*'\n" >>"$PGDATA/postgresql.conf"
fi
exec "$@"
