# SPDX-License-Identifier: Apache-2.0
"""Fixtures: one real Kafka for the run, started when first asked for; systems for each test."""
import contextlib

import pytest

from harness.kafka import EmbeddedBroker, Kafka
from harness.services import System


@pytest.fixture(scope="session")
def shared_kafka(tmp_path_factory):
    """One real Kafka. Tests do not meet: each has a topic of its own."""
    with contextlib.closing(Kafka(tmp_path_factory.mktemp("kafka"))) as kafka:
        yield kafka.start()


@pytest.fixture
def own_kafka(tmp_path):
    """A real Kafka to stop, kill and wipe."""
    with contextlib.closing(Kafka(tmp_path)) as kafka:
        yield kafka.start()


@pytest.fixture
def embedded(tmp_path):
    with contextlib.closing(EmbeddedBroker(tmp_path)) as broker:
        yield broker.start()


@pytest.fixture
def opened():
    """opened(thing) closes the thing at the end of the test, the last one first."""
    with contextlib.ExitStack() as stack:
        yield lambda thing: stack.enter_context(contextlib.closing(thing))


@pytest.fixture
def system(tmp_path, shared_kafka, opened):
    """The whole system on real Kafka, with a topic of its own."""
    return opened(System(tmp_path, shared_kafka)).start()
