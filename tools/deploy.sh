# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# `./abacus deploy`: brings Abacus to a Kubernetes, waits until it runs, checks that it adds up, and
# goes back to what ran before when it does not.
# shellcheck source=tools/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

deploy_names=(adder totals)
deploy_wait_s=300 # until all pods run; pulling images counts
deploy_forwards=() # pids of `kubectl port-forward`
declare -A deploy_before=() # adder, totals: what was applied before, YAML
declare -A deploy_tags=()   # adder, totals, cli: the tag of the image

deploy_help() {
    cat <<END
./abacus deploy kind|minikube|CONTEXT [OPTION]...
Brings Abacus to a Kubernetes, waits, and checks that each add arrives once.

  kind        builds images, makes a kind cluster "abacus" if there is none, loads, applies
  minikube    the same with a running minikube
  CONTEXT     of your kubeconfig (kubectl config get-contexts); its nodes get the images themselves

  --overlay NAME   a folder of deploy/k8s/overlays [that of the cluster; for CONTEXT: production]
  --tag TAG        the images' tag [dev; for CONTEXT with production: needed]
  --wait-s S       how long pods may take to run; a new Kafka of three takes minutes [300]
  --no-build       images are there already
  --prometheus URL the Prometheus that reads the cluster: is watched afterwards, through its alerts,
                   failed adds and missing events
  --watch-s S      for so long [300]

Images of production come from \$ABACUS_REGISTRY [ghcr.io/abacus].
What fails is rolled back to what ran before. Exit code 0: deployed and checked; 1: not; 2: usage.
END
}

need_command() { # NAME WHERE
    command -v "$1" >/dev/null || fail "deploy needs $1: see $2"
}

kube() { kubectl --context "$deploy_context" "$@"; }
kube_abacus() { kube --namespace abacus "$@"; }

# --- what to deploy, and where ---
deploy_read() { # ARGUMENT...
    deploy_target='' deploy_overlay='' deploy_tag='' deploy_build=yes
    deploy_prometheus='' deploy_watch_s=300
    local name
    while [ $# -gt 0 ]; do
        case $1 in
        -h | --help) deploy_help && exit 0 ;;
        --no-build) deploy_build= ;;
        --overlay | --tag | --wait-s | --prometheus | --watch-s)
            [ $# -ge 2 ] || usage_error "deploy: $1 needs a value"
            name=${1#--}
            printf -v "deploy_${name//-/_}" '%s' "$2"
            shift
            ;;
        -*) usage_error "deploy: unknown option \"$1\"" ;;
        *)
            [ -z "$deploy_target" ] || usage_error "deploy: one cluster at a time"
            deploy_target=$1
            ;;
        esac
        shift
    done
    [[ $deploy_wait_s =~ ^[1-9][0-9]{0,4}$ ]] || usage_error "deploy: --wait-s wants seconds"
    [ -n "$deploy_target" ] || usage_error "deploy: which cluster? kind, minikube or a context"
    deploy_defaults
}

deploy_defaults() {
    case $deploy_target in
    kind) deploy_context='kind-abacus' ;;
    *) deploy_context=$deploy_target ;;
    esac
    case $deploy_target in
    kind | minikube) : "${deploy_overlay:=$deploy_target}" ;;
    *)
        deploy_build=
        : "${deploy_overlay:=production}"
        ;;
    esac
    [ -e "$root/deploy/k8s/overlays/$deploy_overlay/kustomization.yaml" ] ||
        usage_error "deploy: no overlay \"$deploy_overlay\" in deploy/k8s/overlays"
    [ -n "$deploy_tag" ] || [ "$deploy_overlay" != production ] ||
        usage_error "deploy: production needs --tag VERSION"
    : "${deploy_tag:=dev}"
}

deploy_find_cluster() {
    need_command kubectl https://kubernetes.io/docs/tasks/tools/
    case $deploy_target in
    kind) kind_find ;;
    minikube) need_command minikube https://minikube.sigs.k8s.io/docs/start/ ;;
    esac
    kubectl config get-contexts --output name | grep -qxF -- "$deploy_context" ||
        fail "kubectl knows no context \"$deploy_context\": see kubectl config get-contexts"
    kube version --request-timeout 10s >/dev/null 2>&1 ||
        fail "the cluster of context \"$deploy_context\" does not answer: is it running?"
}

kind_find() {
    need_command kind https://kind.sigs.k8s.io/
    kind get clusters 2>/dev/null | grep -qx abacus ||
        kind create cluster --name abacus --config "$root/deploy/k8s/overlays/kind/kind.yaml" ||
        fail "kind could not make a cluster"
}

# --- images ---
deploy_images() {
    local name
    for name in "${deploy_names[@]}" cli; do deploy_tags[$name]=$deploy_tag; done
    case $deploy_target in kind | minikube) ;; *) return 0 ;; esac
    need_command docker https://docs.docker.com/engine/install/
    [ -z "$deploy_build" ] || deploy_build_images
    for name in "${deploy_names[@]}" cli; do deploy_load_image "$name"; done
}

deploy_build_images() {
    local name log=$run/deploy/build.log
    title "Building images"
    for name in "${deploy_names[@]}" cli; do
        image_arguments "$name" "$deploy_tag"
        DOCKER_BUILDKIT=1 docker build "${image_arguments[@]}" \
            --tag "abacus-$name:$deploy_tag" "$root" >"$log" 2>&1 ||
            fail "the image of $name could not be built:
$(tail -n 20 "$log")"
    done
}

# Its tag in the cluster tells its content: pods are replaced when it is another image, and those of
# before are still there to go back to.
deploy_load_image() { # NAME
    local image=abacus-$1 id
    id=$(docker image inspect --format '{{.Id}}' "$image:$deploy_tag" 2>/dev/null) ||
        fail "there is no image $image:$deploy_tag here (without --no-build it is built)"
    id=${id#sha256:}
    deploy_tags[$1]=$deploy_tag-${id:0:12}
    docker tag "$image:$deploy_tag" "$image:${deploy_tags[$1]}"
    case $deploy_target in
    kind) kind load docker-image --name abacus "$image:${deploy_tags[$1]}" ;;
    minikube) minikube image load "$image:${deploy_tags[$1]}" ;;
    esac || fail "the image $image did not get into the cluster"
}

image_of() { # NAME: without the tag
    if [ "$deploy_overlay" = production ]; then
        printf '%s' "${ABACUS_REGISTRY:-ghcr.io/abacus}/abacus-$1"
    else
        printf 'abacus-%s' "$1"
    fi
}

# --- apply, wait, go back ---
# The overlay with the images' names put in, in a folder of its own: files of the repository stay.
deploy_write() {
    local name folder=$run/deploy
    {
        printf 'resources: [../../deploy/k8s/overlays/%s]\nimages:\n' "$deploy_overlay"
        for name in "${deploy_names[@]}"; do
            printf '  - {name: abacus-%s, newName: "%s", newTag: "%s"}\n' "$name" \
                "$(image_of "$name")" "${deploy_tags[$name]}"
        done
    } >"$folder/kustomization.yaml"
}

# All or nothing, as far as the API server can tell beforehand. It needs the namespace for that.
deploy_apply() {
    if ! kube apply -f "$root/deploy/k8s/base/namespace.yaml" >/dev/null ||
        ! kube apply --dry-run=server -k "$run/deploy" >"$run/deploy/apply.log"; then
        fail "the cluster would not take it: nothing was changed"
    fi
    kube apply -k "$run/deploy" >"$run/deploy/apply.log"
}

# What was applied the last time, to apply it again. `kubectl rollout undo` would do for now, but
# the next apply knows nothing of what that brings back, and would leave it in place.
deploy_remember() {
    local name
    for name in "${deploy_names[@]}"; do
        deploy_before[$name]=$(kube_abacus apply view-last-applied "statefulset/$name" \
            2>/dev/null || true)
    done
}

# Looks every few seconds: an image that is not there or a program that ends again and again will
# not get better, and is not waited for.
deploy_wait() {
    local name hopeless=0 give_up=$(($(now_ms) + deploy_wait_s * 1000))
    for name in $(kube_abacus get statefulset --output 'jsonpath={.items[*].metadata.name}'); do
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

# Why a pod does not run: Kubernetes' words of the container that waits or of the scheduler, and the
# last that the program said itself.
deploy_explain() {
    local pod reason waiting='{.status.containerStatuses[*].state.waiting.reason}{" "}'
    waiting+='{.status.containerStatuses[*].state.waiting.message}{" "}'
    waiting+='{.status.conditions[?(@.reason=="Unschedulable")].message}'
    for pod in $(kube_abacus get pods --selector app.kubernetes.io/part-of=abacus --output name); do
        reason=$(kube_abacus get "$pod" --output "jsonpath=$waiting")
        [ -n "${reason// /}" ] || continue
        printf '%s: %.300s\n' "$pod" "$reason"
        kube_abacus logs "$pod" --tail 2 2>/dev/null | cut -c 1-300
    done >&2
}

# The pods' images and settings, and how many there are. The former ConfigMap is still there.
deploy_undo() {
    local name
    for name in "${deploy_names[@]}"; do
        [ -n "${deploy_before[$name]}" ] ||
            fail "nothing to go back to: what there is stays as it is (kubectl -n abacus get pods)"
    done
    for name in "${deploy_names[@]}"; do
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

# --- the smoke check, through forwarded ports, so that it runs where this script runs ---
forward() { # NAME WHAT PORT: sets forward_address to where that port of it is on this machine
    local log=$run/deploy/forward-$1.log
    # Not by kube_abacus: the pid must be that of kubectl, not of a shell around it.
    kubectl --context "$deploy_context" --namespace abacus port-forward "$2" ":$3" >"$log" 2>&1 &
    deploy_forwards+=($!)
    wait_until 20 "kubectl port-forward $2" grep -q '^Forwarding from 127' "$log" || return 1
    forward_address=$(sed -n 's/^Forwarding from \(127[0-9.:]*\) .*/\1/p' "$log")
}

forwards_end() {
    local pid
    for pid in "${deploy_forwards[@]}"; do stop_pid "$pid" 5; done
    deploy_forwards=()
}

deploy_adders() { # their pods, one a line
    kube_abacus get pods --selector app.kubernetes.io/name=abacus-adder \
        --output 'jsonpath={range .items[*]}{.metadata.name}{"\n"}{end}'
}

# The client that was built here, or the one in the image.
deploy_cli() {
    if [ -n "${ABACUS_CLI:-}" ] || [ -x "$build/src/cli/abacus-cli" ]; then
        printf '%s' "${ABACUS_CLI:-$build/src/cli/abacus-cli}"
    else
        printf 'docker run --rm --network host %s:%s' "$(image_of cli)" "${deploy_tags[cli]}"
    fi
}

deploy_smoke() {
    local code=0
    deploy_smoke_forwarded || code=$?
    forwards_end
    return "$code"
}

deploy_smoke_forwarded() {
    local pod options=()
    for pod in $(deploy_adders); do
        forward "$pod" "pod/$pod" 9464 || return 2
        options+=(--adder-admin "http://$forward_address")
    done
    forward adder service/adder 50051 || return 2
    options+=(--adder "$forward_address")
    forward totals service/totals 8080 || return 2
    "$root/deploy/smoke/smoke.sh" --cli "$(deploy_cli)" "${options[@]}" \
        --totals "http://$forward_address"
}

# --- the watch: what only shows after some minutes. Who cannot see does not roll back. ---
deploy_watch() { # UNIX_S: alerts that are older are not about this deployment
    local code=0
    [ -n "$deploy_prometheus" ] || return 0
    title "Watching for $deploy_watch_s s"
    python3 "$root/tools/ci/watch.py" --prometheus "$deploy_prometheus" --since "$1" \
        --for-s "$deploy_watch_s" || code=$?
    [ "$code" -le 1 ] ||
        fail "deployed, and every add arrives, but the watch could not tell how it goes on"
    return "$code"
}

# --- all of it ---
deploy() {
    local started
    started=$(date +%s)
    deploy_read "$@"
    deploy_find_cluster
    trap forwards_end EXIT
    mkdir -p "$run/deploy"
    deploy_images
    title "Applying deploy/k8s/overlays/$deploy_overlay to $deploy_context"
    deploy_write
    deploy_remember
    deploy_apply || deploy_failed "the cluster did not take it"
    deploy_wait || deploy_failed "not all pods run"
    title "Checking that each add arrives once"
    deploy_smoke || deploy_failed "the smoke check failed"
    deploy_watch "$started" || deploy_failed "the watch saw something wrong"
    title "${green}Deployed.$plain Its pods: kubectl --context $deploy_context -n abacus get pods"
}
