# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the abacus script and its parts share: where things are, how to speak, small waits.
# Read by `source`; the caller has set -euo pipefail.
# shellcheck disable=SC2034 # the variables are for those who source this

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${ABACUS_BUILD:-$root/build}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/abacus # downloads; may be deleted at any time
run=$root/.run                               # state of `up`, logs; may be deleted when all is down

bold='' dim='' red='' green='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$'\e[1m' dim=$'\e[2m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
fi

say() { printf '%s\n' "$*"; }
title() { printf '%s\n' "$bold$*$plain"; }
fail() {
    printf '%sabacus: %s%s\n' "$red" "$*" "$plain" >&2
    exit 1
}
usage_error() {
    printf 'abacus: %s (see ./abacus help)\n' "$*" >&2
    exit 2
}

now_ms() { printf '%s' $(($(date +%s%N) / 1000000)); }
seconds_since() { # MS: "12.3" since that now_ms
    local ms=$(($(now_ms) - $1))
    printf '%d.%d' $((ms / 1000)) $((ms % 1000 / 100))
}

# wait_until SECONDS WHAT COMMAND...: tries the command until it succeeds; false after SECONDS.
wait_until() {
    local give_up=$(($(now_ms) + $1 * 1000)) what=$2
    shift 2
    until "$@"; do
        if [ "$(now_ms)" -ge "$give_up" ]; then
            printf 'abacus: waited in vain for %s\n' "$what" >&2
            return 1
        fi
        sleep 0.05
    done
}

alive() { kill -0 "$1" 2>/dev/null; }
ended() { ! alive "$1"; }

# stop_pid PID SECONDS: SIGTERM, and SIGKILL when that is not enough.
stop_pid() {
    alive "$1" || return 0
    kill -TERM "$1" 2>/dev/null || return 0
    kill -CONT "$1" 2>/dev/null || true
    wait_until "$2" "process $1 to end" ended "$1" || kill -KILL "$1" 2>/dev/null || true
}

# check_go WHO: a Go from 1.21 on fetches by itself the version that a module asks for; Debian 12
# has an older one.
check_go() {
    local version
    version=$(go version 2>/dev/null | sed -n 's/.* go1\.\([0-9]*\).*/\1/p') || true
    [ "${version:-0}" -ge 21 ] ||
        fail "$1 needs Go 1.21 or later (here: $(go version 2>/dev/null || echo none)); see" \
            "https://go.dev/dl"
}

# go_program build|path FOLDER NAME: builds a program of Go modules into the cache, unless it is
# there; or says where it is. A change of what the folder says it is made of builds another.
go_program() {
    local folder=$2 name=$3 program started
    program=$cache/bin/$name-$(cat "$folder"/*.go "$folder"/go.* | sha256sum | cut -c 1-12)
    if [ "$1" = path ] || [ -x "$program" ]; then
        [ "$1" != path ] || say "$program"
        return 0
    fi
    check_go "$name"
    started=$(now_ms)
    mkdir -p "$cache/bin"
    say "Building $name, once, some minutes: ${program/#"$HOME"/\~}"
    (cd "$folder" && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$program.part" .) \
        >"$program.log" 2>&1 || {
        tail -n 20 "$program.log"
        fail "$name did not build (whole log: $program.log)"
    }
    mv "$program.part" "$program"
    say "${dim}built in $(seconds_since "$started") s$plain"
}

# image_arguments PROGRAM VERSION: into the array of that name goes what docker is told of the image
# of that program, whoever builds it; a folder without git has no commit.
image_arguments=()
image_arguments() {
    local base=${BASE_IMAGE:-$(sed -n 's/^BASE_IMAGE=//p' "$root/deploy/versions.env")}
    image_arguments=(
        --file "$root/deploy/images/Dockerfile" --target "$1"
        --build-arg "BASE_IMAGE=$base" --build-arg "VERSION=$2"
        --build-arg "REVISION=$(git -C "$root" rev-parse HEAD 2>/dev/null || echo unknown)"
        --build-arg "SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct 2>/dev/null || echo 0)"
    )
}

# A port of 127.0.0.1 that nobody uses now.
free_port() { free_port_like 0; }

free_port_like() { # WISH: that port, or another one when it is taken
    python3 - "$1" <<'END'
import socket
import sys
try:
    server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
except OSError:
    server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1])
END
}
