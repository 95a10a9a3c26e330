#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Brings a version to a cluster, watches it, and goes back when it is not well: ./abacus deploy
# with what a workflow has, which is variables.
#
#   KUBECONFIG_DATA   the text of a kubeconfig; its current context is the cluster. Without it the
#                     kubeconfig of this machine is taken
#   ABACUS_VERSION    the images' tag
#   ABACUS_REGISTRY   where they are [ghcr.io/abacus]
#   ABACUS_OVERLAY    a folder of deploy/k8s/overlays [production]
#   PROMETHEUS_URL    the Prometheus that watches the cluster; without it the smoke check must do
#   WATCH_S           how long it is watched [300]
set -euo pipefail
# shellcheck source=tools/lib.sh
source "$(dirname "$0")/../lib.sh"

[ -n "${ABACUS_VERSION:-}" ] || fail "ABACUS_VERSION is empty: which version shall be deployed?"
if [ -n "${KUBECONFIG_DATA:-}" ]; then
    KUBECONFIG=$(mktemp) # only its owner may read it
    export KUBECONFIG
    trap 'rm -f "$KUBECONFIG"' EXIT
    printf '%s\n' "$KUBECONFIG_DATA" >"$KUBECONFIG"
    unset KUBECONFIG_DATA
elif [ -n "${GITHUB_ACTIONS:-}" ]; then
    fail "the secret KUBECONFIG is empty: set it in the environment this job runs in (docs/cicd.md)"
fi
context=$(kubectl config current-context) ||
    fail "the kubeconfig has no current context: kubectl config use-context NAME, then save it"

watch=()
if [ -n "${PROMETHEUS_URL:-}" ]; then
    watch=(--prometheus "$PROMETHEUS_URL" --watch-s "${WATCH_S:-300}")
fi
"$root/abacus" deploy "$context" --overlay "${ABACUS_OVERLAY:-production}" \
    --tag "$ABACUS_VERSION" "${watch[@]}"
