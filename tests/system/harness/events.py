# SPDX-License-Identifier: Apache-2.0
"""Events made by hand, right and wrong ones, as anyone with access to the topic could send them."""
import json

TIME = "2026-01-02T03:04:05.678901Z"


def headers(source, sequence, **changes):
    """The CloudEvents headers of an event; a change to None leaves that header out."""
    made = {"ce_specversion": "1.0", "ce_id": f"{source}/{sequence}",
            "ce_source": f"/abacus/adder/{source}", "ce_type": "abacus.v1.Added",
            "ce_time": TIME, "ce_sequence": f"{sequence:019}", "content-type": "application/json"}
    made.update({name.replace("content_type", "content-type"): value
                 for name, value in changes.items()})
    return [(name, value.encode()) for name, value in made.items() if value is not None]


def value(a, b, total=None):
    return json.dumps({"a": str(a), "b": str(b),
                       "sum": str(a + b if total is None else total)}).encode()


def send(kafka, topic, source, sequence, a, b, partition=0):
    """One right event, acknowledged by Kafka."""
    kafka.produce(topic, source.encode(), value(a, b), headers(source, sequence),
                  partition=partition)
