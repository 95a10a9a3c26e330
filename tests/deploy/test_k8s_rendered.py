# SPDX-License-Identifier: Apache-2.0
"""Every overlay with its components: complete, restricted, known to Kubernetes' schema."""
import base64
import subprocess

import pytest
import yaml

import kustomized
from kustomized import K8S, ROOT, name_of, objects, rendered, some_combinations

NAMESPACES = {"abacus", "abacus-observability", "abacus-logs"}
PRIVILEGED = "abacus-logs"  # reads files of the node
APPLY_BYTES_MAX = 262144  # of the annotation in which kubectl keeps what it applied
OURS = {"abacus-adder", "abacus-totals", "abacus-cli"}
PROMETHEUS = K8S / "components/observability/stack/prometheus.yml"
STRIMZI = "kafka.strimzi.io/v1"
# Made by hand, by cert-manager or by Strimzi; everything else comes with what is applied.
SECRETS = {"kafka-tls", "kafka-client-tls", "abacus-cluster-ca-cert", "abacus"}

for_each_combination = pytest.mark.parametrize("combination", list(some_combinations()),
                                               ids=name_of)


@pytest.fixture(scope="module", autouse=True)
def what_renders():
    if kustomized.why_not():
        give_up = pytest.fail if kustomized.must_render() else pytest.skip
        give_up(f"neither kustomize nor kubeconform could be built here: {kustomized.why_not()}")


def pods(combination):
    for row in objects(*combination):
        template = row.get("spec", {}).get("template", {})
        if isinstance(template, dict) and "containers" in template.get("spec", {}):
            yield row, template["spec"]


def containers(spec):
    return spec.get("initContainers", []) + spec["containers"]


def kubeconform(text):
    schemas = kustomized.program("schemas") + "/{{.ResourceKind}}{{.KindSuffix}}.json"
    kinds = ",".join(f"{STRIMZI}/{kind}" for kind in
                     ("Kafka", "KafkaNodePool", "KafkaTopic", "KafkaUser"))
    return subprocess.run([kustomized.program("kubeconform"), "-strict", "-skip", kinds,
                           "-schema-location", schemas, "-"], input=text, capture_output=True,
                          text=True, check=False)


@for_each_combination
def test_kubernetes_schema_knows_every_field(combination):
    done = kubeconform(rendered(*combination))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("right, wrong", [
    ("terminationGracePeriodSeconds:", "terminationGraceSeconds:"),
    ("maxUnavailable: 1", "maxUnavailable: [1]"),
    ("kind: StatefulSet", "kind: StatefulSett"),
])
def test_a_mistake_is_found(right, wrong):
    text = rendered("kind", ())
    assert right in text and kubeconform(text.replace(right, wrong)).returncode == 1


@for_each_combination
def test_everything_is_in_a_namespace_of_ours(combination):
    for row in objects(*combination):
        if row["kind"] != "Namespace":
            assert row["metadata"].get("namespace") in NAMESPACES, row["metadata"]["name"]
        else:
            expected = "privileged" if row["metadata"]["name"] == PRIVILEGED else "restricted"
            assert row["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == expected


@for_each_combination
def test_every_pod_is_restricted_and_bounded(combination):
    for row, spec in pods(combination):
        name = row["metadata"]["name"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["enableServiceLinks"] is False, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert row["metadata"]["namespace"] == PRIVILEGED or \
            spec["securityContext"]["runAsNonRoot"] is True, name
        for container in containers(spec):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]}}, name
            assert "memory" in container["resources"]["limits"], name
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name


@for_each_combination
def test_images_are_ours_or_of_versions_env(combination):
    lines = (ROOT / "deploy/versions.env").read_text(encoding="utf-8").splitlines()
    public = {line.split("=", 1)[1] for line in lines if line and not line.startswith("#")}
    for _, spec in pods(combination):
        for container in containers(spec):
            image = container["image"]
            assert image in public or image.split(":")[0] in OURS, image


def named(spec):
    """(kind, name) of every ConfigMap and Secret that a pod cannot start without."""
    sources = [source for volume in spec.get("volumes", [])
               for source in [volume, *volume.get("projected", {}).get("sources", [])]]
    for source in sources:
        if "secret" in source:
            yield "Secret", source["secret"]["secretName"]
        if "configMap" in source and not source["configMap"].get("optional"):
            yield "ConfigMap", source["configMap"]["name"]
    for container in containers(spec):
        for source in container.get("envFrom", []):
            yield "ConfigMap", source["configMapRef"]["name"]


@for_each_combination
def test_what_a_pod_names_is_there(combination):
    there = {(row["kind"], row["metadata"]["namespace"], row["metadata"]["name"])
             for row in objects(*combination) if row["kind"] != "Namespace"}
    for row, spec in pods(combination):
        namespace = row["metadata"]["namespace"]
        assert ("ServiceAccount", namespace, spec["serviceAccountName"]) in there
        for kind, name in named(spec):
            assert (kind, namespace, name) in there or (kind == "Secret" and name in SECRETS), name


@for_each_combination
def test_nothing_is_too_large_for_an_apply(combination):
    for row in objects(*combination):
        assert len(yaml.dump(row, Dumper=yaml.CSafeDumper)) < APPLY_BYTES_MAX, \
            f'{row["metadata"]["name"]}: put some of it into another ConfigMap'


# --- who deploys ---
def test_a_deployer_may_apply_all_of_production_and_no_more_than_read_the_rest():
    roles = [row for row in yaml.safe_load_all(
        (K8S / "deployer.yaml").read_text(encoding="utf-8")) if row["kind"].endswith("Role")]
    allowed = {(group, resource) for role in roles for rule in role["rules"]
               for group in rule["apiGroups"] for resource in rule["resources"]
               if {"get", "patch"} <= set(rule["verbs"])}
    needed = {(row["apiVersion"].rpartition("/")[0], row["kind"].lower() + "s")
              for row in objects("production", ())}
    needed = {(group, name.replace("policys", "policies")) for group, name in needed}
    assert allowed == needed | {("batch", "jobs")}


# --- components ---
def keys(combination, prefix):
    return {key for row in objects(*combination) if row["kind"] == "ConfigMap"
            and row["metadata"]["name"].startswith(prefix) for key in row["data"]}


@pytest.mark.parametrize("folder, prefix", [
    ("deploy/prometheus/rules", "prometheus-rules-"),
    ("deploy/grafana/dashboards", "grafana-boards-"),
])
def test_no_file_is_forgotten(folder, prefix):
    files = {path.name for path in (ROOT / folder).iterdir()}
    assert keys(("kind", ("observability",)), prefix) == files


def test_every_rule_is_mounted():
    stack, = [spec for row, spec in pods(("kind", ("observability",)))
              if row["metadata"]["name"] == "prometheus"]
    paths = {item["path"] for volume in stack["volumes"]
             for source in volume.get("projected", {}).get("sources", [])
             for item in source["configMap"].get("items", [])}
    rules = {f"rules/{path.name}" for path in (ROOT / "deploy/prometheus/rules").iterdir()}
    assert rules <= paths


def test_every_script_that_the_load_test_may_run_is_there():
    scripts = keys(("kind", ("loadtest",)), "abacus-load-")
    assert {"smoke.js", "mix.js", "adder.proto"} <= scripts
    job, = [spec for row, spec in pods(("kind", ("loadtest",)))
            if row["metadata"]["name"] == "loadtest"]
    mounted = {item["path"] for source in job["volumes"][0]["projected"]["sources"]
               for item in source["configMap"].get("items", [])}
    assert mounted == {f"lib/{path.name}" for path in (ROOT / "load/lib").iterdir()}


def test_prometheus_is_the_same_but_for_its_targets():
    here = yaml.safe_load(PROMETHEUS.read_text(encoding="utf-8"))
    usual = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8"))
    jobs, usual_jobs = here.pop("scrape_configs"), usual.pop("scrape_configs")
    assert here == usual
    assert [job["job_name"] for job in jobs] == [job["job_name"] for job in usual_jobs]


def test_prometheus_reads_services_that_are_there():
    ports = {(row["metadata"]["name"], port["port"]) for row in objects("kind", ("observability",))
             if row["kind"] == "Service" for port in row["spec"]["ports"]}
    here = yaml.safe_load(PROMETHEUS.read_text(encoding="utf-8"))
    for target in here["scrape_configs"][-1]["static_configs"][0]["targets"]:
        name, port = target.split(":")
        assert (name, int(port)) in ports, target


def test_an_autoscaled_adder_is_told_its_number_by_nobody_else():
    for overlay in ("kind", "production"):
        adder, = [row for row, _ in pods((overlay, ("hpa",))) if row["metadata"]["name"] == "adder"]
        assert "replicas" not in adder["spec"]


# --- certificates ---
@pytest.fixture(scope="module")
def secrets():
    done = subprocess.run([K8S / "components/tls/certificates.sh", "30"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {row["metadata"]["name"]: {key: base64.b64decode(value)
                                      for key, value in row["data"].items()}
            for row in yaml.safe_load_all(done.stdout)}


def openssl(*arguments, given=b""):
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True,
                          check=True).stdout.decode()


def test_certificates_are_of_one_authority(secrets, tmp_path):
    authority = tmp_path / "ca.crt"
    for files in secrets.values():
        authority.write_bytes(files["ca.crt"])
        openssl("verify", "-CAfile", authority, given=files["tls.crt"])
    assert len({files["ca.crt"] for files in secrets.values()}) == 1


def test_a_certificate_names_the_broker(secrets):
    assert "DNS:kafka," in openssl("x509", "-noout", "-ext", "subjectAltName",
                                   given=secrets["kafka-tls"]["tls.crt"])


@pytest.mark.parametrize("name", ["kafka-tls", "kafka-client-tls"])
def test_secrets_are_as_cert_manager_makes_them(secrets, name):
    files = secrets[name]
    assert files.keys() == {"ca.crt", "tls.crt", "tls.key", "tls-combined.pem"}
    assert files["tls.key"].startswith(b"-----BEGIN PRIVATE KEY-----"), "PKCS 8"
    assert files["tls-combined.pem"] == files["tls.key"] + files["tls.crt"]


def test_certificates_want_a_number_of_days():
    done = subprocess.run([K8S / "components/tls/certificates.sh", "soon"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 2 and '"soon" is no number of days' in done.stderr
