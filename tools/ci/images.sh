#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Container images, as the workflow `images` makes them. Needs Docker with buildx.
#
#   tools/ci/images.sh build          for this machine, as abacus-adder:$ABACUS_TAG and so on [dev]
#   tools/ci/images.sh try            runs what `build` made, restricted as in production
#   tools/ci/images.sh scan           fails if what `build` made has a known hole, high, with a fix;
#                                     needs grype, or its path in $GRYPE
#   tools/ci/images.sh push           for this machine's architecture, to $ABACUS_REGISTRY as
#                                     NAME:VERSION-ARCH, with SBOM and provenance
#   tools/ci/images.sh join           makes NAME:VERSION of NAME:VERSION-amd64 and -arm64
#   tools/ci/images.sh sign           signs NAME:VERSION with cosign, without a key
#   tools/ci/images.sh verify         fails unless the workflow of $GITHUB_REPOSITORY signed it
#   tools/ci/images.sh release        gives NAME:VERSION the tag that moves: latest, or main; none
#                                     to a version like 1.2.3-rc1
#   tools/ci/images.sh version        says VERSION
#
# Where no GitHub runs this, with a key of your own: `cosign generate-key-pair` makes two files, to
# name in $ABACUS_COSIGN_KEY (to sign) and $ABACUS_COSIGN_PUB (to verify). No public log is told.
#
# VERSION is $ABACUS_VERSION, else 1.2.3 for the git tag v1.2.3, else sha- and the commit.
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../lib.sh"

programs=(adder totals cli)
tag=${ABACUS_TAG:-dev}
registry=${ABACUS_REGISTRY:-ghcr.io/abacus}
registry=${registry,,} # a registry takes no capital letters, an owner's name may have some
signer=https://github.com/${GITHUB_REPOSITORY:-OWNER/NAME}/.github/workflows/publish.yml
revision=$(git -C "$root" rev-parse HEAD)

find_version() {
    case ${GITHUB_REF:-} in
    refs/tags/v*) say "${GITHUB_REF#refs/tags/v}" ;;
    *) say "sha-${revision:0:12}" ;;
    esac
}
version=${ABACUS_VERSION:-$(find_version)}

architecture() {
    case $(uname -m) in
    x86_64) say amd64 ;;
    aarch64) say arm64 ;;
    *) fail "images are made for amd64 and arm64, this machine is $(uname -m)" ;;
    esac
}

# buildx PROGRAM ARGUMENT...
buildx() {
    local program=$1 source=${GITHUB_SERVER_URL:-https://github.com}/${GITHUB_REPOSITORY:-abacus}
    shift
    image_arguments "$program" "$version"
    docker buildx build "${image_arguments[@]}" \
        --label "org.opencontainers.image.source=$source" "$@" "$root"
}

build() {
    local program cache_from=()
    [ -z "${ABACUS_REGISTRY:-}" ] ||
        cache_from=(--cache-from "type=registry,ref=$registry/abacus-cli:cache-$(architecture)")
    for program in "${programs[@]}"; do
        buildx "$program" --load --tag "abacus-$program:$tag" "${cache_from[@]}"
    done
}

# As a user without rights, with a file system that cannot be written: each says its version.
try() {
    local program
    for program in "${programs[@]}"; do
        docker run --rm --read-only --cap-drop ALL --security-opt no-new-privileges \
            --network none "abacus-$program:$tag" --version
    done
}

scan() {
    local program
    for program in "${programs[@]}"; do
        "${GRYPE:-grype}" "docker:abacus-$program:$tag" --only-fixed --fail-on high
    done
}

push() {
    local program ref arch
    arch=$(architecture)
    ref=$registry/abacus-cli:cache-$arch
    for program in "${programs[@]}"; do
        buildx "$program" --push --tag "$registry/abacus-$program:$version-$arch" \
            --sbom true --provenance mode=max --cache-from "type=registry,ref=$ref" \
            --cache-to "type=registry,ref=$ref,mode=max"
    done
}

join() {
    local program image
    for program in "${programs[@]}"; do
        image=$registry/abacus-$program:$version
        docker buildx imagetools create --tag "$image" "$image-amd64" "$image-arm64"
    done
}

# A signature is of a digest: a tag may be moved.
sign() {
    local program image digest how=()
    [ -z "${ABACUS_COSIGN_KEY:-}" ] ||
        how=(--key "$ABACUS_COSIGN_KEY" --use-signing-config=false --tlog-upload=false)
    for program in "${programs[@]}"; do
        image=$registry/abacus-$program
        digest=$(docker buildx imagetools inspect "$image:$version" | sed -n 's/^Digest: *//p')
        [[ $digest == sha256:* ]] || fail "$image:$version has no digest: was it pushed?"
        cosign sign --yes --recursive "${how[@]}" "$image@$digest"
    done
}

verify() {
    local program how
    if [ -n "${ABACUS_COSIGN_PUB:-}" ]; then
        how=(--key "$ABACUS_COSIGN_PUB" --private-infrastructure)
    else
        [ -n "${GITHUB_REPOSITORY:-}" ] || fail "GITHUB_REPOSITORY is empty: whose workflow signed?"
        how=(--certificate-oidc-issuer https://token.actions.githubusercontent.com
            --certificate-identity-regexp "^$signer@")
    fi
    for program in "${programs[@]}"; do
        cosign verify "${how[@]}" "$registry/abacus-$program:$version" >/dev/null
    done
}

release() {
    local program moving=main
    case ${GITHUB_REF:-} in
    refs/tags/*-*) say "$version is not final: latest stays where it is" && return ;;
    refs/tags/*) moving=latest ;;
    esac
    for program in "${programs[@]}"; do
        docker buildx imagetools create --tag "$registry/abacus-$program:$moving" \
            "$registry/abacus-$program:$version"
    done
}

case ${1:-} in
build | try | scan | push | join | sign | verify | release) "$1" ;;
version) say "$version" ;;
*) usage_error "tools/ci/images.sh build | try | scan | push | join | sign | verify | release" ;;
esac
