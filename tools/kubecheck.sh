#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What judges deploy/k8s without a cluster: kustomize, kubeconform, and the schemas of Kubernetes'
# own objects, made from the description of its API in the Go module of Kubernetes. All of it goes
# into the cache and needs no network afterwards.
#
#   tools/kubecheck.sh build       builds and makes what is not there: two minutes, once
#   tools/kubecheck.sh kustomize   says where it is, or will be; so do kubeconform and schemas
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/lib.sh"

kubernetes=v1.34.4
kustomize=$cache/bin/kustomize-v5.7.1
kubeconform=$cache/bin/kubeconform-v0.7.0
schemas=$cache/kubernetes-schemas-$kubernetes

go_install() { # PROGRAM-VERSION MODULE PATH: that program of a module as it is published
    [ ! -x "$1" ] || return 0
    local folder log=$1.log
    folder=$(mktemp -d -p "$cache/bin" install-XXXXXX)
    GOBIN=$folder CGO_ENABLED=0 go install -trimpath "$2@${1##*-}" >"$log" 2>&1 || {
        tail -n 20 "$log"
        rm -rf "$folder"
        fail "$(basename "$1") did not build (whole log: $log)"
    }
    mv "$folder"/* "$1"
    rm -rf "$folder"
}

# The module is 100 MB, of which one file of 4 MB is wanted: unpacked apart and thrown away.
make_schemas() {
    [ ! -d "$schemas" ] || return 0
    local folder log=$schemas.log module=k8s.io/kubernetes@$kubernetes
    folder=$(mktemp -d -p "$cache" schemas-XXXXXX)
    GOMODCACHE=$folder GOFLAGS=-modcacherw go mod download "$module" >"$log" 2>&1 || {
        tail -n 20 "$log"
        rm -rf "$folder"
        fail "Kubernetes' module did not come (whole log: $log)"
    }
    python3 "$root/tools/kubeschemas.py" "$folder/$module/api/openapi-spec/swagger.json" \
        "$folder/schemas"
    mv "$folder/schemas" "$schemas"
    rm -rf "$folder"
}

build() {
    check_go "what judges deploy/k8s"
    mkdir -p "$cache/bin"
    go_install "$kustomize" sigs.k8s.io/kustomize/kustomize/v5
    go_install "$kubeconform" github.com/yannh/kubeconform/cmd/kubeconform
    make_schemas
}

case ${1:-} in
build) build ;;
kustomize | kubeconform | schemas) say "${!1}" ;;
*) usage_error "tools/kubecheck.sh build | kustomize | kubeconform | schemas" ;;
esac
