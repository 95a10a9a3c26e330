# SPDX-License-Identifier: Apache-2.0
"""Kubernetes' files: what they promise about each pod, and that they agree with the programs."""
import collections
import pathlib
import re

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
K8S = ROOT / "deploy/k8s"
OVERLAYS = sorted(path.name for path in (K8S / "overlays").iterdir())
OPERATING = (ROOT / "docs/operating.md").read_text(encoding="utf-8")  # OpenTelemetry's variables
CLOSE_S = 5  # what a stop may take after the grace time (CLOSE_MS in src/adder/main.c)

# Our programs: where their options are, which of them are ports.
Program = collections.namedtuple("Program", "options ports")
PROGRAMS = {
    "adder": Program("src/adder/config.c", {"grpc": "grpc-port", "admin": "admin-port"}),
    "totals": Program("src/totals/config.c", {"http": "http-port", "admin": "admin-port"}),
}


def documents(path):
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
            if document]


OBJECTS = [(path, document) for folder in ("base", "kafka", "overlays/production")
           for path in sorted((K8S / folder).glob("*.yaml")) for document in documents(path)
           if "kind" in document and document["kind"] != "Kustomization"]


def objects(kind):
    return {document["metadata"]["name"]: document for _, document in OBJECTS
            if document["kind"] == kind}


SETS = objects("StatefulSet")
for_each_set = pytest.mark.parametrize("name", sorted(SETS))
for_each_program = pytest.mark.parametrize("name", sorted(PROGRAMS))


def pod(name):
    return SETS[name]["spec"]["template"]["spec"]


def container(name):
    only, = pod(name)["containers"]
    return only


def environment(name):
    return {row["name"]: row["value"] for row in container(name).get("env", [])}


def defaults(program):
    """Option and default, of a program's table."""
    text = (ROOT / program.options).read_text(encoding="utf-8")
    return dict(re.findall(r'\{"([a-z0-9-]+)", OPTION_\w+, FIELD\(\w+\),\s*"([^"]*)"', text))


def options(program):
    text = (ROOT / program.options).read_text(encoding="utf-8")
    return set(re.findall(r'\{"([a-z0-9-]+)", OPTION_', text))


def settings():
    """The variables of the ConfigMap that both services read, wherever something is added."""
    for path in K8S.rglob("kustomization.yaml"):
        for generator in documents(path)[0].get("configMapGenerator", []):
            if generator["name"] == "abacus":
                yield from (literal.split("=", 1)[0] for literal in generator["literals"])


# --- what each pod may do ---
@for_each_set
def test_pods_are_as_restricted_as_pod_security_wants(name):
    of_pod, of_container = pod(name)["securityContext"], container(name)["securityContext"]
    assert of_pod["runAsNonRoot"] is True and of_pod["runAsUser"] > 0
    assert of_pod["fsGroup"] == of_pod["runAsUser"], "or the volume cannot be written"
    assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert of_container == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                            "capabilities": {"drop": ["ALL"]}}


def test_the_namespace_admits_restricted_pods_only():
    labels = objects("Namespace")["abacus"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@for_each_set
def test_pods_get_neither_a_token_nor_variables_of_services(name):
    account = objects("ServiceAccount")[pod(name)["serviceAccountName"]]
    assert account["automountServiceAccountToken"] is False
    assert pod(name)["automountServiceAccountToken"] is False
    assert pod(name)["enableServiceLinks"] is False, "ADDER_PORT, KAFKA_PORT are no settings"


@for_each_set
def test_probes_are_three_and_resources_are_bounded(name):
    probes = container(name)
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(probes)
    assert probes["livenessProbe"] != probes["readinessProbe"], "not ready is no reason to kill"
    resources = probes["resources"]
    assert {"cpu", "memory"} <= set(resources["requests"])
    assert "memory" in resources["limits"]


@for_each_set
def test_volumes_outlive_their_pods(name):
    assert SETS[name]["spec"]["persistentVolumeClaimRetentionPolicy"] == {
        "whenScaled": "Retain", "whenDeleted": "Retain"}


@for_each_set
def test_labels_select_the_pods_of_their_set(name):
    labels = SETS[name]["spec"]["template"]["metadata"]["labels"]
    assert SETS[name]["spec"]["selector"]["matchLabels"] == labels
    service = objects("Service")[SETS[name]["spec"]["serviceName"]]
    assert service["spec"]["selector"] == labels and service["spec"]["clusterIP"] == "None"


def test_totals_has_one_replica_as_its_ledger_is_one_file():
    assert SETS["totals"]["spec"]["replicas"] == 1
    for overlay in OVERLAYS:
        kustomization, = documents(K8S / "overlays" / overlay / "kustomization.yaml")
        assert "totals" not in [row["name"] for row in kustomization.get("replicas", [])]


# --- what the programs know too ---
@for_each_program
def test_ports_are_the_defaults_of_the_program(name):
    ports = {port["name"]: port["containerPort"] for port in container(name)["ports"]}
    known = defaults(PROGRAMS[name])
    assert ports == {port: int(known[option]) for port, option in PROGRAMS[name].ports.items()}
    for service in objects("Service").values():
        for port in service["spec"]["ports"]:
            if service["spec"]["selector"]["app.kubernetes.io/name"] == f"abacus-{name}":
                assert port["port"] == ports[port["targetPort"]]


@for_each_program
def test_network_policies_admit_the_ports_of_the_program(name):
    admitted = {port["port"] for policy in objects("NetworkPolicy").values()
                for rule in policy["spec"].get("ingress", []) for port in rule.get("ports", [])}
    assert {port["containerPort"] for port in container(name)["ports"]} <= admitted


@for_each_program
def test_a_stop_has_the_time_that_the_program_may_take(name):
    pre_stop = container(name).get("lifecycle", {}).get("preStop", {}).get("sleep", {})
    grace_s = int(environment(name)["ABACUS_SHUTDOWN_GRACE_MS"]) / 1000
    needed_s = pre_stop.get("seconds", 0) + grace_s + CLOSE_S
    assert pod(name)["terminationGracePeriodSeconds"] > needed_s


@for_each_program
def test_every_variable_of_a_program_is_an_option_of_it(name):
    known = {"ABACUS_" + option.upper().replace("-", "_") for option in options(PROGRAMS[name])}
    assert set(environment(name)) <= known
    for variable in settings():
        assert variable in known or variable in OPERATING, variable


def test_kafka_is_the_one_of_versions_env():
    versions = (ROOT / "deploy/versions.env").read_text(encoding="utf-8")
    assert f"\nKAFKA_IMAGE={container('kafka')['image']}\n" in versions
