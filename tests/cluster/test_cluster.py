# SPDX-License-Identifier: Apache-2.0
"""Abacus on a real Kubernetes: what it takes, what dies under load, what is rolled back.

ABACUS_CLUSTER says which, as ./abacus deploy takes it: kind, minikube, or a CONTEXT with --overlay
and --tag. What runs there in the namespaces of Abacus is replaced, and its pods are killed.
"""
import contextlib
import os
import re
import subprocess
import urllib.parse

import pytest
import yaml

from cluster import COMMAND_S_MAX, ROOT, Cluster, run, wait_until
import kustomized

EQUAL = "every sum is there exactly once"
ROLLED_BACK = "rolled back: what ran before runs again, and is checked"
OBSERVABILITY = "abacus-observability"
COMBINATIONS = list(kustomized.all_combinations()) if os.environ.get("ABACUS_CLUSTER") else []

pytestmark = [
    pytest.mark.timeout(2 * COMMAND_S_MAX),
    pytest.mark.skipif("ABACUS_CLUSTER" not in os.environ,
                       reason="no cluster: ABACUS_CLUSTER=kind ./abacus test cluster names one"),
]


@pytest.fixture(scope="module", name="cluster")
def deployed_cluster():
    cluster = Cluster()
    cluster.first_said = cluster.deploy()
    return cluster


def again(cluster, *arguments, **how):
    """With the images that are there."""
    return cluster.deploy("--no-build", *arguments, **how)


def test_each_add_arrives_once(cluster):
    assert EQUAL in cluster.first_said


# --- what the API server says of the files ---
@pytest.mark.parametrize("combination", COMBINATIONS, ids=kustomized.name_of)
def test_restricted_namespaces_admit_it_without_a_warning(cluster, combination):
    if kustomized.why_not():
        pytest.skip(f"kustomize could not be built here: {kustomized.why_not()}")
    known = "kafkas.kafka.strimzi.io" in cluster.kubectl("get", "crd", "--output", "name").stdout
    rows = [row for row in kustomized.objects(*combination)
            if known or not row["apiVersion"].startswith("kafka.strimzi.io/")]
    spaces = [row for row in rows if row["kind"] == "Namespace"]
    assert cluster.kubectl("apply", "-f", "-", given=yaml.dump_all(spaces)).returncode == 0
    cluster.kube("delete", "job", "topics", "loadtest", "--ignore-not-found")
    done = cluster.kubectl("apply", "--dry-run=server", "-f", "-", given=yaml.dump_all(rows))
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert len(done.stdout.splitlines()) == len(rows)


# --- what happens under load ---
@contextlib.contextmanager
def nothing_lost(cluster, name, seconds):
    """Load runs meanwhile. Not one add fails, and totals applies each of them once."""
    before = cluster.events()
    load = cluster.load(name, seconds)
    yield
    report = load.ended()
    expected = before + report["acknowledged"]
    wait_until(lambda: cluster.events() >= expected, f"{expected} events in the ledger")
    assert cluster.events() == expected, "something was counted twice"


@pytest.mark.parametrize("victim", ["adder", "totals", "kafka"])
def test_a_pod_that_is_deleted_under_load_loses_nothing(cluster, victim):
    with nothing_lost(cluster, f"load-{victim}", 30):
        cluster.kube("delete", "pod", f"{victim}-0", "--wait=false")
        cluster.await_rollouts(victim)
    cluster.check(1)


def test_a_pod_that_is_killed_under_load_loses_nothing(cluster):
    with nothing_lost(cluster, "load-kill", 30):
        for name in ("adder-0", "totals-0"):
            cluster.kube("delete", "pod", name, "--grace-period", "0", "--force")
        cluster.await_rollouts("adder", "totals")
    cluster.check(1)


def test_a_rolling_restart_under_load_fails_no_call(cluster):
    with nothing_lost(cluster, "load-restart", 40):
        cluster.kube("rollout", "restart", "statefulset/adder", "statefulset/totals")
        cluster.await_rollouts("adder", "totals")
    cluster.check(1)


def test_scaling_out_and_in_under_load_fails_no_call_and_strands_nothing(cluster):
    with nothing_lost(cluster, "load-scale", 70):
        cluster.kube("scale", "statefulset/adder", "--replicas", "3")
        cluster.await_rollouts("adder")
        # Connections are for ten minutes: new ones, so that all three work.
        cluster.kube("rollout", "restart", "statefulset/adder")
        cluster.await_rollouts("adder")
        cluster.kube("scale", "statefulset/adder", "--replicas", "1")
        for name in ("adder-1", "adder-2"):
            cluster.await_text("", "get", "pod", name, "--ignore-not-found", "--output", "name")
    # Claims are kept, and what is in them agrees with the ledger.
    cluster.kube("scale", "statefulset/adder", "--replicas", "3")
    cluster.await_rollouts("adder")
    cluster.check(3)
    cluster.kube("scale", "statefulset/adder", "--replicas", "1")
    claims = cluster.kube("get", "pvc", "--output", "name").split()
    assert {f"persistentvolumeclaim/data-adder-{number}" for number in range(3)} <= set(claims)


# --- what must not stay ---
def test_a_bad_image_is_rolled_back(cluster):
    """Our command line client under the name of the services: it ends at once, again and again."""
    if cluster.arguments[0] not in ("kind", "minikube"):
        pytest.skip("only kind and minikube take images from this machine")
    before = cluster.images()
    for name in ("adder", "totals", "cli"):
        subprocess.run(["docker", "tag", "abacus-cli:dev", f"abacus-{name}:bad"], check=True)
    said = again(cluster, "--tag", "bad", code=1)
    assert "CrashLoopBackOff" in said and ROLLED_BACK in said, said
    assert cluster.images() == before


def test_an_image_that_is_not_there_changes_nothing(cluster):
    if cluster.arguments[0] not in ("kind", "minikube"):
        pytest.skip("only kind and minikube take images from this machine")
    before = cluster.images()
    said = again(cluster, "--tag", "never-built", code=1)
    assert "there is no image abacus-adder:never-built here" in said
    assert cluster.images() == before


WRONG_BROKER = """
namespace: abacus
resources: [../../deploy/k8s/overlays/kind]
configMapGenerator:
  - name: abacus
    behavior: merge
    literals: ["ABACUS_KAFKA_BOOTSTRAP_SERVERS=nobody:9092"]
"""


def test_a_wrong_broker_address_is_said_and_rolled_back(cluster):
    folder = ROOT / ".run/cluster-wrong-broker"
    folder.mkdir(exist_ok=True)
    (folder / "kustomization.yaml").write_text(WRONG_BROKER, encoding="utf-8")
    before = cluster.images()
    said = again(cluster, "--overlay", f"../../../.run/{folder.name}", code=1)
    assert "nobody:9092" in said, "the message must name the broker"
    assert ROLLED_BACK in said and cluster.images() == before


# --- components ---
def certificates(cluster):
    made = run(ROOT / "deploy/k8s/components/tls/certificates.sh").stdout
    cluster.kube("apply", "-f", "-", given=made)


def test_a_missing_secret_is_said_before_anything_changes(cluster):
    cluster.kube("delete", "secret", "kafka-tls", "kafka-client-tls", "--ignore-not-found")
    said = again(cluster, "--with", "tls", code=1)
    assert 'there is no secret "kafka-client-tls"' in said
    assert "nothing was changed" in said and "components/tls/README.md" in said


def asks_kafka(cluster):
    """Whether our client finds the first event in Kafka: it has no certificate."""
    source = cluster.proxy("totals:http", "/v1/sources")["sources"][0]["source"]
    return cluster.cli("plain", "journey", "--kafka-bootstrap-servers", "kafka:9092",
                       "--totals", "http://totals:8080", "--source", source)


def test_with_tls_only_those_with_a_certificate_get_to_kafka(cluster):
    certificates(cluster)
    found, said = asks_kafka(cluster)
    assert found, said
    try:
        assert EQUAL in again(cluster, "--with", "tls")
        certificates(cluster)  # of another authority
        cluster.kube("rollout", "restart", "statefulset/kafka", "statefulset/adder",
                     "statefulset/totals")
        cluster.await_rollouts("kafka", "adder", "totals")
        assert EQUAL in again(cluster, "--with", "tls")
        found, said = asks_kafka(cluster)
        assert not found, f"a client without a certificate got in:\n{said}"
    finally:
        assert EQUAL in again(cluster)


def test_topics_have_the_partitions_of_the_settings(cluster):
    again(cluster)
    cluster.await_text("Complete.*", "get", "job", "topics", "--output",
                       "jsonpath={.status.conditions[-1:].type}")
    said = cluster.kube("exec", "kafka-0", "--", "/opt/kafka/bin/kafka-topics.sh", "--describe",
                        "--bootstrap-server", "localhost:9092")
    found = dict(re.findall(r"Topic: (abacus\S+)\t.*PartitionCount: (\d+)", said))
    assert found == {"abacus.sums": "4", "abacus.sums.dlq": "1"}


@pytest.fixture(scope="module", name="watched")
def watched_cluster(cluster):
    again(cluster, "--with", "observability,logs")
    yield cluster
    cluster.kubectl("delete", "namespace", OBSERVABILITY, "abacus-logs", "--wait=false")
    again(cluster)


@pytest.mark.parametrize("namespace, workload", [
    (OBSERVABILITY, "statefulset/prometheus"),
    (OBSERVABILITY, "statefulset/loki"),
    (OBSERVABILITY, "statefulset/tempo"),
    (OBSERVABILITY, "deployment/collector"),
    (OBSERVABILITY, "deployment/grafana"),
    ("abacus-logs", "daemonset/logs"),
])
def test_what_watches_runs(watched, namespace, workload):
    name = workload.split("/")[1]

    def state():
        if watched.kubectl("--namespace", namespace, "rollout", "status", workload, "--timeout",
                           "5s").returncode == 0:
            return "runs"
        reasons = watched.kube("get", "pods", "--output", "jsonpath={range .items[*]}"
                               "{.metadata.name} {.status.containerStatuses[*].state.waiting"
                               ".reason}{'\\n'}{end}", namespace=namespace)
        return re.search(rf"^{name}\S* (ImagePullBackOff|ErrImagePull)$", reasons, re.MULTILINE)

    if wait_until(state, f"{workload} to run") != "runs":
        pytest.skip(f"the image of {name} cannot be pulled here: it was not looked at")


def prometheus(cluster, query):
    answer = cluster.proxy("prometheus:http", f"/api/v1/query?query={urllib.parse.quote(query)}",
                           namespace=OBSERVABILITY)
    return {row["metric"].get("instance"): float(row["value"][1])
            for row in answer["data"]["result"]}


def test_prometheus_reads_both_services_by_the_names_of_their_pods(watched):
    wanted = {"adder-0:9464": 1, "totals-0:9465": 1}
    wait_until(lambda: prometheus(watched, 'up{job=~"abacus-.*"}') == wanted, f"{wanted}")


def test_spans_arrive_at_the_collector(watched):
    query = 'sum({__name__=~"otelcol_receiver_accepted_spans(_total)?"})'
    watched.load("load-spans", 20).ended()
    wait_until(lambda: prometheus(watched, query).get(None, 0) > 0, query)


def test_logs_of_both_services_are_in_loki(watched):
    def services():
        return watched.proxy("loki:http", "/loki/api/v1/label/service_name/values",
                             namespace=OBSERVABILITY).get("data", [])
    wait_until(lambda: {"abacus-adder", "abacus-totals"} <= set(services()), "logs in Loki")


def test_an_autoscaler_keeps_three_adders(cluster):
    """Which is its least: it does not need to know what they do for that."""
    again(cluster, "--with", "hpa")
    try:
        cluster.await_text("3", "get", "statefulset", "adder", "--output",
                           "jsonpath={.status.readyReplicas}")
        assert EQUAL in again(cluster, "--with", "hpa"), "an apply leaves its number alone"
        cluster.await_text("3", "get", "statefulset", "adder", "--output",
                           "jsonpath={.status.readyReplicas}")
        cluster.check(3)
    finally:
        cluster.kube("delete", "hpa", "adder")
        again(cluster)


def test_a_load_test_keeps_its_thresholds(cluster):
    job = ROOT / "deploy/k8s/components/loadtest/job"
    cluster.kube("delete", "job", "loadtest", "--ignore-not-found")
    cluster.kube("apply", "-k", str(job))
    ended = cluster.await_text("(Complete|Failed).*", "get", "job", "loadtest", "--output",
                               "jsonpath={.status.conditions[-1:].type}")
    said = cluster.kube("logs", "job/loadtest")
    cluster.kube("delete", "-k", str(job))
    assert ended == "Complete", said
    cluster.check(1)
