# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What `./abacus deploy` does to the cluster: applies, waits until all pods run, tells why they do
# not, goes back to what was applied before. Read by tools/deploy.sh, which says what and where.
# shellcheck disable=SC2154
deploy_wait_s=300 # until all pods run; pulling images counts
declare -A deploy_before=() # StatefulSet: what was applied the last time, YAML

# The overlay with the components and the images' names put in, in a folder of its own: files of the
# repository stay. What becomes of it is in all.yaml.
deploy_write() {
    local name folder=$run/deploy
    {
        printf 'resources: [../../deploy/k8s/overlays/%s]\ncomponents:\n' "$deploy_overlay"
        for name in $deploy_with; do printf '  - ../../deploy/k8s/components/%s\n' "$name"; done
        printf 'images:\n'
        for name in "${deploy_names[@]}" cli; do
            printf '  - {name: abacus-%s, newName: "%s", %s}\n' "$name" "$(image_of "$name")" \
                "$(image_pin "$name")"
        done
    } >"$folder/kustomization.yaml"
    kubectl kustomize "$folder" >"$folder/all.yaml" || fail "the overlay cannot be put together"
}

# What is published may get another meaning later, since a tag can be moved. So in production the
# image is the one that the tag means now, if docker can ask the registry.
image_pin() { # NAME
    local digest=''
    if [ "$deploy_overlay" = production ]; then
        digest=$(timeout 60 docker buildx imagetools inspect \
            "$(image_of "$1"):${deploy_tags[$1]}" 2>/dev/null |
            sed -n 's/^Digest: *\(sha256:[0-9a-f]\{64\}\)$/\1/p') || true
        [ -n "$digest" ] ||
            say "abacus-$1 goes by its tag: no docker here can ask the registry for its digest" >&2
    fi
    if [ -n "$digest" ]; then
        printf 'digest: "%s"' "$digest"
    else
        printf 'newTag: "%s"' "${deploy_tags[$1]}"
    fi
}

# What must be there before the API server can judge the rest, and what must not.
deploy_prepare() {
    local name
    for name in "$root"/deploy/k8s/base/namespace.yaml $(deploy_namespaces); do
        kube apply -f "$name" >/dev/null ||
            fail "the cluster takes no namespace: nothing was changed"
    done
    deploy_secrets
    # A Job cannot be changed. Both are there to be done again.
    kube_abacus delete job topics ${deploy_with:+loadtest} --ignore-not-found >/dev/null
}

deploy_namespaces() { # the files of those that components bring
    local name
    for name in $deploy_with; do
        compgen -G "$root/deploy/k8s/components/$name/*/namespace.yaml" || true
    done
}

# A pod whose secret is missing waits for ever. In production Strimzi makes them, and later.
deploy_secrets() {
    local name names
    [ "$deploy_overlay" != production ] || return 0
    mapfile -t names < <(sed -n 's/^ *secretName: //p' "$run/deploy/all.yaml" | sort -u)
    for name in "${names[@]}"; do
        kube_abacus get secret "$name" >/dev/null 2>&1 ||
            fail "there is no secret \"$name\" in the namespace abacus: nothing was changed
  deploy/k8s/components/tls/README.md tells how to make it"
    done
}

# All or nothing, as far as the API server can tell beforehand.
deploy_apply() {
    local all=$run/deploy/all.yaml
    kube apply --dry-run=server -f "$all" >"$run/deploy/apply.log" ||
        fail "the cluster would not take it: nothing was changed, but for Jobs that were removed"
    kube apply -f "$all" >"$run/deploy/apply.log"
}

# What was applied the last time, to apply it again. `kubectl rollout undo` would do for now, but
# the next apply knows nothing of what that brings back, and would leave it in place.
deploy_remember() {
    local name
    for name in $(deploy_sets); do
        deploy_before[$name]=$(kube_abacus apply view-last-applied "statefulset/$name" \
            2>/dev/null || true)
    done
}

deploy_sets() { kube_abacus get statefulsets --output 'jsonpath={.items[*].metadata.name}'; }

# Looks every few seconds: an image that is not there or a program that ends again and again will
# not get better, and is not waited for.
deploy_wait() {
    local name hopeless=0 give_up=$(($(now_ms) + deploy_wait_s * 1000))
    for name in $(deploy_sets); do
        until kube_abacus rollout status "statefulset/$name" --timeout 5s >/dev/null 2>&1; do
            if deploy_hopeless; then hopeless=$((hopeless + 1)); else hopeless=0; fi
            [ "$hopeless" -lt 3 ] && [ "$(now_ms)" -lt "$give_up" ] || return 1
        done
        say "  $name runs"
    done
}

deploy_hopeless() {
    kube_abacus get pods \
        --output 'jsonpath={.items[*].status.containerStatuses[*].state.waiting.reason}' |
        grep -qE 'ImagePullBackOff|ErrImageNeverPull|InvalidImageName|CrashLoopBackOff'
}

# Why it does not work: of a container that waits or has no node Kubernetes' own words and its last
# warning; of all the last that the program complained of.
deploy_explain() {
    local pod waiting='{.status.containerStatuses[*].state.waiting.reason}{" "}'
    waiting+='{.status.containerStatuses[*].state.waiting.message}{" "}'
    waiting+='{.status.conditions[?(@.reason=="Unschedulable")].message}'
    for pod in $(kube_abacus get pods --selector app.kubernetes.io/part-of=abacus --output name); do
        deploy_explain_line "$pod" "$(kube_abacus get "$pod" --output "jsonpath=$waiting")"
        deploy_explain_line "$pod warns" "$(kube_abacus get events --output \
            'jsonpath={range .items[*]}{.message}{"\n"}{end}' --field-selector \
            "type=Warning,reason!=Unhealthy,involvedObject.name=${pod#*/}" | tail -n 1)"
        deploy_explain_line "$pod says" "$(kube_abacus logs "$pod" --tail 200 2>/dev/null |
            grep -E '"level":"(warn|error)|^abacus' | tail -n 1)"
        deploy_explain_image "$pod"
    done >&2
}

# A program of another architecture has no words of its own.
deploy_explain_image() { # POD
    local node wanted='' state='{.status.containerStatuses[*].lastState.terminated.message}'
    { kube_abacus logs "$1" --tail 20 && kube_abacus get "$1" --output "jsonpath=$state"; } 2>&1 |
        grep -q 'exec format error' || return 0
    node=$(kube_abacus get "$1" --output 'jsonpath={.spec.nodeName}')
    wanted=$(kube get node "$node" --output 'jsonpath={.status.nodeInfo.architecture}') || true
    say "  $1: its image is for another architecture than its node ($node: ${wanted:-unknown});" \
        "docker buildx imagetools inspect IMAGE says for which it is"
}

deploy_explain_line() { # WHO WHAT: nothing if there is nothing
    [ -z "${2// /}" ] || printf '  %s: %.400s\n' "$1" "$2"
}

# The pods' images and settings, and how many there are. The former ConfigMap is still there.
deploy_undo() {
    local name
    for name in "${deploy_names[@]}"; do
        [ -n "${deploy_before[$name]:-}" ] ||
            fail "nothing to go back to: what there is stays as it is (kubectl -n abacus get pods)"
    done
    for name in "${!deploy_before[@]}"; do
        say "Going back: $name as it was"
        kube_abacus apply -f - <<<"${deploy_before[$name]}" >/dev/null ||
            fail "kubectl could not roll back $name: its pods are broken now"
    done
}

deploy_failed() { # WHAT
    printf '%sabacus: %s%s\n' "$red" "$1" "$plain" >&2
    deploy_explain
    deploy_undo
    if deploy_wait && deploy_smoke; then
        fail "rolled back: what ran before runs again, and is checked"
    fi
    fail "rolled back, but what ran before does not run either (kubectl -n abacus get pods)"
}
