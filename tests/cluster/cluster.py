# SPDX-License-Identifier: Apache-2.0
"""A Kubernetes as the tests see it: kubectl, `./abacus deploy`, our client as a pod."""
import json
import os
import pathlib
import re
import shlex
import subprocess

import yaml

from harness import process

ROOT = pathlib.Path(__file__).resolve().parents[2]

COMMAND_S_MAX = 900  # images may have to be built and pulled
WAIT_S_MAX = 240
ASK_EACH_S = 1  # kubectl is no small program
CONTEXTS = {"kind": "kind-abacus"}

RESTRICTED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
              "capabilities": {"drop": ["ALL"]}}


def run(*command, given=None, env=None):
    return subprocess.run([str(word) for word in command], input=given, capture_output=True,
                          text=True, timeout=COMMAND_S_MAX, check=False, env=env)


def wait_until(condition, what, timeout_s=WAIT_S_MAX):
    """The first true value of condition()."""
    def asked():
        value = condition()
        if not value:
            process.pause(ASK_EACH_S)
        return value
    return process.wait_until(asked, what, timeout_s)


class Load:
    """Adds from within the cluster, each with an id, repeated while its fate is unknown."""

    def __init__(self, cluster, name):
        self.cluster, self.name = cluster, name

    def ended(self):
        """Its report; not one add may have failed for good."""
        phase = self.cluster.await_text("Succeeded|Failed", "get", "pod", self.name, "--output",
                                        "jsonpath={.status.phase}")
        said = self.cluster.kube("logs", self.name)
        assert phase == "Succeeded", f"adds failed:\n{said}"
        self.cluster.kube("delete", "pod", self.name, "--wait=false")
        return json.loads(said[said.index("{"):])


class Cluster:
    """That of $ABACUS_CLUSTER, which is what ./abacus deploy takes."""

    def __init__(self):
        self.arguments = shlex.split(os.environ["ABACUS_CLUSTER"])
        self.context = CONTEXTS.get(self.arguments[0], self.arguments[0])

    def kubectl(self, *arguments, given=None):
        return run("kubectl", "--context", self.context, *arguments, given=given)

    def kube(self, *arguments, given=None, namespace="abacus"):
        done = self.kubectl("--namespace", namespace, *arguments, given=given)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def deploy(self, *arguments, code=0):
        done = run(ROOT / "abacus", "deploy", *self.arguments, *arguments)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def await_text(self, pattern, *arguments, namespace="abacus"):
        """What kubectl prints, once it is what is waited for."""
        def found():
            text = self.kubectl("--namespace", namespace, *arguments).stdout.strip()
            return [text] if re.fullmatch(pattern, text, re.DOTALL) else None
        return wait_until(found, f"\"{pattern}\" from kubectl {' '.join(arguments)}")[0]

    def await_rollouts(self, *names):
        for name in names:
            self.kube("rollout", "status", f"statefulset/{name}", "--timeout", f"{WAIT_S_MAX}s")

    def images(self):
        """Of both services, by the name of the StatefulSet."""
        sets = json.loads(self.kube("get", "statefulsets", "adder", "totals", "--output", "json"))
        return {row["metadata"]["name"]: row["spec"]["template"]["spec"]["containers"][0]["image"]
                for row in sets["items"]}

    # --- our client, as a pod ---
    def cli_start(self, name, *arguments):
        self.kube("delete", "pod", name, "--ignore-not-found")
        written = yaml.safe_load((ROOT / ".run/deploy/kustomization.yaml").read_text("utf-8"))
        image, = [f'{row["newName"]}:{row["newTag"]}' for row in written["images"]
                  if row["name"] == "abacus-cli"]
        self.kube("apply", "-f", "-", given=json.dumps({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "labels": {"app.kubernetes.io/name": "abacus-cli"}},
            "spec": {
                "restartPolicy": "Never", "enableServiceLinks": False,
                "automountServiceAccountToken": False,
                "securityContext": {"runAsNonRoot": True, "runAsUser": 10001,
                                    "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [{"name": "cli", "image": image, "imagePullPolicy": "IfNotPresent",
                                "args": list(arguments), "securityContext": RESTRICTED}],
            },
        }))

    def cli(self, name, *arguments):
        """(succeeded, what it said)"""
        self.cli_start(name, *arguments)
        phase = self.await_text("Succeeded|Failed", "get", "pod", name, "--output",
                                "jsonpath={.status.phase}")
        return phase == "Succeeded", self.kube("logs", name)

    def load(self, name, seconds):
        self.cli_start(name, "load", "--adder", "adder:50051", "--connections", "8", "--rate",
                       "300", "--duration-s", str(seconds), "--request-ids", "--no-verify",
                       "--output", "json")
        self.await_text("Running", "get", "pod", name, "--output", "jsonpath={.status.phase}")
        return Load(self, name)

    # --- both ends ---
    def proxy(self, what, path, namespace="abacus"):
        """What a service answers, through the API server."""
        return json.loads(self.kube("get", "--raw",
                                    f"/api/v1/namespaces/{namespace}/services/{what}/proxy{path}"))

    def events(self):
        """How many events totals has applied."""
        return int(self.proxy("totals:http", "/v1/total")["count"])

    def check(self, adders):
        """Compares the ledger with the outbox of each of so many adders."""
        admins = [word for number in range(adders)
                  for word in ("--adder-admin", f"http://adder-{number}.adder-pods:9464")]
        ok, said = self.cli("check", "check", *admins, "--totals", "http://totals:8080",
                            "--wait-s", "120")
        assert ok and "nothing lost, nothing counted twice" in said, said
