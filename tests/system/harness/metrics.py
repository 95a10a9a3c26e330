# SPDX-License-Identifier: Apache-2.0
"""What a service's /metrics says, as numbers that tests can ask for by name and labels."""
from prometheus_client.parser import text_string_to_metric_families

from .process import PATIENCE_S, wait_until
from .services import http


class Metrics:
    """One scrape."""

    def __init__(self, text):
        self.samples = [(sample.name, sample.labels, sample.value)
                        for family in text_string_to_metric_families(text)
                        for sample in family.samples]

    def all(self, name, **labels):
        """[(labels, value)] of the series with that name and at least those labels."""
        return [(found, value) for sample, found, value in self.samples
                if sample == name and labels.items() <= found.items()]

    def value(self, name, **labels):
        """Of the one series that fits; None: there is none."""
        found = self.all(name, **labels)
        assert len(found) <= 1, f"several series fit {name} {labels}: {found}"
        return found[0][1] if found else None

    def sum(self, name, **labels):
        return sum(value for _, value in self.all(name, **labels))


def scrape(service):
    status, _, body = http(service.admin + "/metrics")
    assert status == 200, body
    return Metrics(body.decode())


def wait_for_metrics(service, fits, what, timeout_s=PATIENCE_S):
    """The first scrape for which fits(metrics) is true."""
    def fitting():
        metrics = scrape(service)
        return metrics if fits(metrics) else None
    return wait_until(fitting, what, timeout_s)
