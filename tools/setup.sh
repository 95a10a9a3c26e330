# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing. What is there is found by names alone (about 10 ms), so that every
# command can afford to ask. Nothing but Debian's and Ubuntu's packages is installed on the system;
# Python packages, Kafka's jars and Go programs go to ~/.cache/abacus.
# shellcheck disable=SC2034 # the variables are for those who source this
# shellcheck source=tools/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# One row: how to see that it is there (a command, or a pkg-config module) and Debian's package.
needs_build='
command gcc           gcc
command meson         meson
command ninja         ninja-build
command python3       python3
command pkg-config    pkg-config
command protoc        protobuf-compiler
command protoc-c      protobuf-c-compiler
module  libevent_core libevent-dev
module  libnghttp2    libnghttp2-dev
module  zlib          zlib1g-dev
module  libprotobuf-c libprotobuf-c-dev
module  rdkafka       librdkafka-dev
module  sqlite3       libsqlite3-dev
module  libmicrohttpd libmicrohttpd-dev
module  jansson       libjansson-dev
module  libcurl       libcurl4-openssl-dev
module  cmocka        libcmocka-dev'
needs_kafka='
command java          default-jre-headless
command mvn           maven'
needs_k6='
command go            golang-go'
needs_observe='
command go            golang-go
command prometheus    prometheus'
needs_test="
command git           git
command clang         clang
command clang-format  clang-format
command shellcheck    shellcheck
command h2load        nghttp2-client
$needs_observe
$needs_kafka"
needs_bench='
command h2load        nghttp2-client
command wrk           wrk'

# missing ROWS: the packages of those rows that are not there.
missing() {
    local kind name package
    while read -r kind name package; do
        case $kind in
        command) command -v "$name" >/dev/null || echo "$package" ;;
        module) pkg-config --exists "$name" 2>/dev/null || echo "$package" ;;
        esac
    done <<<"$1"
}

# need ROWS: returns when all of them are there.
need() {
    local packages
    mapfile -t packages < <(missing "$1")
    [ ${#packages[@]} -eq 0 ] || install_packages "${packages[@]}"
}

# The library that makes a clang program a fuzzer is a package of its own, named by clang's version.
need_fuzzer() {
    compgen -G '/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a' >/dev/null ||
        install_packages "libclang-rt-$(clang -dumpversion | cut -d . -f 1)-dev"
}

# Debian's prometheus is a service as well, and so is what it recommends: both would start at once
# and at every boot, on ports 9090 and 9100. Masked before they are there, they never do; we run the
# program ourselves. `systemctl unmask prometheus` gives the service back.
mask_services() { # AS_ROOT...
    local name
    "$@" mkdir -p /etc/systemd/system
    for name in prometheus prometheus-node-exporter; do
        [ -e "/lib/systemd/system/$name.service" ] || [ -e "/etc/systemd/system/$name.service" ] ||
            "$@" ln -s /dev/null "/etc/systemd/system/$name.service"
    done
}

install_packages() {
    local as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    if ! command -v apt-get >/dev/null; then
        fail "this is neither Debian nor Ubuntu: please install what these packages hold: $*"
    fi
    if [ ${#as_root[@]} -gt 0 ] && ! command -v sudo >/dev/null; then
        fail "please run as root: apt-get install $*"
    fi
    title "Installing: $*"
    mkdir -p "$run"
    [[ " $* " != *" prometheus "* ]] || mask_services "${as_root[@]}"
    if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive sh -c \
        'apt-get -q update && apt-get -q -y install "$@"' sh "$@" >"$run/install.log" 2>&1; then
        tail -n 20 "$run/install.log"
        fail "apt-get failed (whole log: $run/install.log)"
    fi
}

# The Python packages of the tests, in a folder of their own; made anew when the list changes.
python=$cache/venv/bin/python
need_python() {
    local list=$root/tests/requirements.txt installed=$cache/venv/requirements.txt
    cmp -s "$list" "$installed" && return
    title "Installing Python packages into $cache/venv"
    mkdir -p "$cache"
    if [ ! -x "$python" ]; then
        python3 -c 'import ensurepip' 2>/dev/null || install_packages python3-venv
        python3 -m venv "$cache/venv"
    fi
    "$python" -m pip install -q --disable-pip-version-check -r "$list"
    cp "$list" "$installed"
}

# Configures and compiles BUILD, quietly when all is well. More arguments go to meson setup.
build_folder() {
    local folder=$1 log
    shift
    mkdir -p "$run"
    log=$run/$(basename "$folder").log
    if [ ! -f "$folder/build.ninja" ]; then
        meson setup "$folder" "$root" "$@" >"$log" 2>&1 || { cat "$log"; return 1; }
    fi
    ninja -C "$folder" >"$log" 2>&1 || { cat "$log"; return 1; }
}
