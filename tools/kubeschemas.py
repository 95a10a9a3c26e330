# SPDX-License-Identifier: Apache-2.0
"""JSON schemas of Kubernetes' objects, as kubeconform wants them: a file a kind, complete.

    kubeschemas.py SWAGGER.JSON FOLDER

Stricter than the API server, which drops a field that it does not know: here that is an error.
"""
import json
import pathlib
import sys

# What is text in the description and may be a number as well in a file.
LOOSE = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": ["string", "integer"]},
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"type": ["string", "number"]},
}
PREFIX = "#/definitions/"


def strict(definition):
    """An object with named fields has these and no others."""
    if "properties" in definition:
        return definition | {"additionalProperties": False}
    return definition


def used(node):
    """The names of the definitions that this one refers to."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].removeprefix(PREFIX)
        for value in node.values():
            yield from used(value)
    elif isinstance(node, list):
        for value in node:
            yield from used(value)


def reachable(name, definitions):
    found, todo = {}, [name]
    while todo:
        name = todo.pop()
        if name not in found:
            found[name] = definitions[name]
            todo += used(definitions[name])
    return found


def file_name(kind):
    """StatefulSet of apps/v1: statefulset-apps-v1.json."""
    group = kind["group"].split(".")[0]
    parts = [kind["kind"].lower(), group, kind["version"]]
    return "-".join(part for part in parts if part) + ".json"


def main(swagger, folder):
    definitions = json.loads(pathlib.Path(swagger).read_text(encoding="utf-8"))["definitions"]
    definitions = {name: LOOSE.get(name, strict(definition))
                   for name, definition in definitions.items()}
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    for name, definition in definitions.items():
        kinds = definition.get("x-kubernetes-group-version-kind", [])
        if len(kinds) == 1:  # an object of its own; those with many are shared, like DeleteOptions
            schema = {"$ref": PREFIX + name, "definitions": reachable(name, definitions)}
            (folder / file_name(kinds[0])).write_text(json.dumps(schema), encoding="utf-8")


main(*sys.argv[1:])
