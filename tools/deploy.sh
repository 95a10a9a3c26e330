# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# `./abacus deploy`: brings Abacus to a Kubernetes, waits until it runs, checks that it adds up, and
# goes back to what ran before when it does not.
# shellcheck source=tools/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
# shellcheck source=tools/deploy/rollout.sh
source "$(dirname "${BASH_SOURCE[0]}")/deploy/rollout.sh"

deploy_names=(adder totals)
deploy_forwards=() # pids of `kubectl port-forward`
declare -A deploy_tags=() # adder, totals, cli: the tag of the image

deploy_help() {
    cat <<END
./abacus deploy kind|minikube|CONTEXT [OPTION]...
Brings Abacus to a Kubernetes, waits, and checks that each add arrives once.

  kind        builds images, makes a kind cluster "abacus" if there is none, loads, applies
  minikube    the same with a running minikube
  CONTEXT     of your kubeconfig (kubectl config get-contexts); its nodes get the images themselves

  --overlay NAME   a folder of deploy/k8s/overlays [that of the cluster; for CONTEXT: production]
  --with NAME,...  components of deploy/k8s/components: $(deploy_components)
  --tag TAG        the images' tag [dev; for CONTEXT with production: needed]
  --wait-s S       how long pods may take to run; a new Kafka of three takes minutes [300]
  --no-build       images are there already; kind and minikube: on this machine
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

deploy_components() { # their names, on one line
    local folders=("$root"/deploy/k8s/components/*/)
    folders=("${folders[@]%/}")
    printf '%s' "${folders[*]##*/}"
}

kube() { kubectl --context "$deploy_context" "$@"; }
kube_abacus() { kube --namespace abacus "$@"; }

# --- what to deploy, and where ---
deploy_read() { # ARGUMENT...
    deploy_target='' deploy_overlay='' deploy_tag='' deploy_with='' deploy_build=yes
    deploy_prometheus='' deploy_watch_s=300
    local name
    while [ $# -gt 0 ]; do
        case $1 in
        -h | --help) deploy_help && exit 0 ;;
        --no-build) deploy_build= ;;
        --overlay | --with | --tag | --wait-s | --prometheus | --watch-s)
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
    [[ $deploy_watch_s =~ ^[1-9][0-9]{0,4}$ ]] || usage_error "deploy: --watch-s wants seconds"
    [ -n "$deploy_target" ] || usage_error "deploy: which cluster? kind, minikube or a context"
    deploy_defaults
}

deploy_defaults() {
    local name
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
    deploy_with=${deploy_with//,/ }
    for name in $deploy_with; do
        [[ " $(deploy_components) " == *" $name "* ]] ||
            usage_error "deploy: no component \"$name\"; there are $(deploy_components)"
    done
    [[ " $deploy_with " != *" logs "* || " $deploy_with " == *" observability "* ]] ||
        say "logs: they go to the Loki of observability, which must be there already"
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
    kind get clusters 2>/dev/null | grep -qx abacus || kind_make
}

kind_make() {
    local port ports file=deploy/k8s/overlays/kind/kind.yaml
    mapfile -t ports < <(sed -n 's/.*hostPort: \([0-9]*\).*/\1/p' "$root/$file")
    for port in "${ports[@]}"; do
        ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null ||
            fail "127.0.0.1:$port is taken by another program (ss -ltnp says which), and the cluster
  wants it: end that, or write another hostPort into $file"
    done
    kind create cluster --name abacus --config "$root/$file" || fail "kind could not make a cluster"
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
    local registry=${ABACUS_REGISTRY:-ghcr.io/abacus}
    if [ "$deploy_overlay" = production ]; then
        printf '%s' "${registry,,}/abacus-$1" # it takes no capital letters, as tools/ci/images.sh
    else
        printf 'abacus-%s' "$1"
    fi
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

deploy_adders() { # their pods, one a line; those that are on their way out do not count
    local count
    count=$(kube_abacus get statefulset adder --output 'jsonpath={.spec.replicas}')
    seq --format 'adder-%g' 0 $((count - 1))
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
    title "Applying deploy/k8s/overlays/$deploy_overlay ${deploy_with:+with $deploy_with }to \
$deploy_context"
    deploy_write
    deploy_prepare
    deploy_remember
    deploy_apply || deploy_failed "the cluster did not take it"
    deploy_wait || deploy_failed "not all pods run"
    title "Checking that each add arrives once"
    deploy_smoke || deploy_failed "the smoke check failed"
    deploy_watch "$started" || deploy_failed "the watch saw something wrong"
    title "${green}Deployed.$plain Its pods: kubectl --context $deploy_context -n abacus get pods"
}
