#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The Go programs that `./abacus bench peers` compares Abacus with (bench/peers), built in the cache
# from a copy, beside what protoc makes for them. A change of theirs builds another.
#
#   tools/peers.sh build         builds them unless they are there: some minutes, once
#   tools/peers.sh path          says in which folder they are, or will be
#   tools/peers.sh check         gofmt and go vet
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"

parts=$root/bench/peers
proto=$root/proto/abacus/v1/adder.proto
sum=$(find "$parts" -name '*.go' -o -name 'go.*' | sort | xargs cat "$proto" | sha256sum)
folder=$cache/peers-${sum:0:12}
programs=(tuned/adder tuned/totals textbook/adder textbook/totals)

# Run by a shell of its own, so that the first failure ends it.
build_each() {
    local program
    rm -rf "$cache"/peers-*/ # what was built of other sources too
    mkdir -p "$folder"
    cp -r "$parts" "$folder/source"
    cd "$folder/source"
    generate
    for program in "${programs[@]}"; do
        go build -trimpath -o "$folder/$program" "./$program"
    done
}

generate() { # the package api, by the generators that go.mod names
    go build -o "$folder/bin/" google.golang.org/protobuf/cmd/protoc-gen-go \
        google.golang.org/grpc/cmd/protoc-gen-go-grpc
    mkdir -p api
    PATH=$folder/bin:$PATH protoc --proto_path="$root/proto/abacus/v1" \
        --go_out=api --go_opt=paths=source_relative,Madder.proto=abacus/bench/peers/api \
        --go-grpc_out=api --go-grpc_opt=paths=source_relative,Madder.proto=abacus/bench/peers/api \
        adder.proto
}

build_peers() {
    [ ! -e "$folder/built" ] || return 0
    local started log=$cache/peers.log
    check_go "the comparison with Go"
    command -v protoc >/dev/null || fail "the comparison with Go needs protoc"
    started=$(now_ms)
    mkdir -p "$cache"
    say "Building the Go programs, once, some minutes: ${folder/#"$HOME"/\~}"
    "$0" build-anew >"$log" 2>&1 || {
        tail -n 20 "$log"
        fail "the Go programs did not build (whole log: $log)"
    }
    touch "$folder/built"
    say "${dim}built in $(seconds_since "$started") s$plain"
}

check_peers() {
    local unformatted
    build_peers
    unformatted=$(gofmt -l "$parts")
    [ -z "$unformatted" ] || fail "run gofmt -w on: $unformatted"
    (cd "$folder/source" && go vet ./...)
}

case ${1:-} in
build) build_peers ;;
build-anew) build_each ;;
path) say "$folder" ;;
check) check_peers ;;
*) usage_error "tools/peers.sh build | path | check" ;;
esac
