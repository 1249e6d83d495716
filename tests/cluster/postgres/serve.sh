#!/bin/sh
# Serves the database of the user brain, whose password is POSTGRES_PASSWORD; creates it first if there is none.
set -eu

data=/var/lib/postgres/data
if [ ! -e "$data/PG_VERSION" ]; then
    printf %s "$POSTGRES_PASSWORD" >/tmp/password
    initdb --username=brain --auth=scram-sha-256 --pwfile=/tmp/password --encoding=UTF8 -D "$data"
    rm /tmp/password
    echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
fi
exec postgres -D "$data" -c 'listen_addresses=*' -c unix_socket_directories=/tmp
