#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# collect.sh ROOT: makes ROOT a root file system in which our programs run: abacus-cli, the shared
# libraries of all three, and what those read at run time. Nothing else is there, no shell, no
# package manager. Run by the Dockerfile, in its build stage. The programs together need hardly more
# libraries than each alone, so that one layer serves all images.
set -eu
root=$1

put() { # FILE: to the same place below ROOT, a link as what it leads to
    mkdir -p "$root$(dirname "$1")"
    cp -L "$1" "$root$1"
    note_package "$(basename "$(readlink -f "$1")")"
}

# Scanners and SBOM makers find the packages of an image without dpkg in these files.
note_package() { # NAME of the file; its folder has two names where /lib is a link to /usr/lib
    package=$(dpkg-query --search "*/$1" 2>/dev/null | head -n 1 | cut -d : -f 1)
    [ -n "$package" ] || return 0 # ours
    mkdir -p "$root/var/lib/dpkg/status.d"
    dpkg-query --status "$package" >"$root/var/lib/dpkg/status.d/$package"
}

# What ldd cannot know of: libcurl is loaded when tracing begins, libgcc_s when a thread ends early.
loaded_later() {
    for name in libcurl.so.4 libgcc_s.so.1; do
        ldconfig -p | sed -n "s|.*$name .*=> ||p" | head -n 1
    done
}

libraries() { # FILE...: the paths of all that these load, the loader included
    for file in "$@"; do ldd "$file"; done | grep -o '/[^ ]*' | grep -v ':$' | sort -u
}

later=$(loaded_later)
# shellcheck disable=SC2086,SC2046 # none of these paths has a space
for file in /usr/local/bin/abacus-cli $later $(libraries /usr/local/bin/abacus-* $later); do
    put "$file"
done

# TLS: whom to trust, and OpenSSL's settings. Names: files first, then DNS.
put /etc/ssl/certs/ca-certificates.crt
put /etc/ssl/openssl.cnf
mkdir -p "$root/usr/lib/ssl"
ln -s /etc/ssl/openssl.cnf /etc/ssl/certs "$root/usr/lib/ssl"
printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
put /etc/os-release
printf 'abacus:x:10001:10001:Abacus:/data:/nonexistent\n' >"$root/etc/passwd"
printf 'abacus:x:10001:\n' >"$root/etc/group"

# The same sources give the same bytes.
find "$root" /usr/local/bin -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH:-0}" {} +
