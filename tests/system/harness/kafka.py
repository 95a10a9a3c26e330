# SPDX-License-Identifier: Apache-2.0
"""The brokers: a real Apache Kafka, and librdkafka's mock in a process of its own."""
import shutil
import subprocess
import uuid

import confluent_kafka
import confluent_kafka.admin

from .process import CLI, PATIENCE_S, ROOT, Process, free_port, wait_until

SCRIPT = ROOT / "tools/kafka.sh"


class Broker:
    """What tests do with any broker, at self.address."""
    address = None
    totals_options = {}

    def admin(self):
        return confluent_kafka.admin.AdminClient({"bootstrap.servers": self.address})

    def create_topic(self, name, partitions=4):
        admin = self.admin()  # must outlive the future
        topic = confluent_kafka.admin.NewTopic(name, partitions, 1)
        admin.create_topics([topic])[name].result(PATIENCE_S)

    def delete_topic(self, name):
        admin = self.admin()  # must outlive the future
        admin.delete_topics([name])[name].result(PATIENCE_S)

    def topics(self):
        return self.admin().list_topics(timeout=PATIENCE_S).topics

    def member_names(self, group):
        """The static members of a consumer group."""
        admin = self.admin()
        described = admin.describe_consumer_groups([group])[group].result(PATIENCE_S)
        return [member.group_instance_id for member in described.members]

    def join_as(self, group, name, topic):
        """Joins the group under this name, and leaves again."""
        consumer = confluent_kafka.Consumer({
            "bootstrap.servers": self.address, "group.id": group, "group.instance.id": name,
            "partition.assignment.strategy": "range", "enable.auto.commit": False})
        joined = []
        consumer.subscribe([topic], on_assign=lambda *_: joined.append(True))
        try:
            wait_until(lambda: (consumer.poll(0.1), joined)[1], f"{name} to join {group}")
        finally:
            consumer.close()

    def produce(self, topic, key, value, headers, **options):
        """One message, acknowledged before this returns."""
        self.produce_all(topic, [(key, value, headers)], **options)

    def produce_all(self, topic, messages, partition=0, timestamp_ms=0):
        """(key, value, headers) each, in this order; timestamp_ms 0: now."""
        failures = []
        producer = confluent_kafka.Producer({"bootstrap.servers": self.address, "acks": "all"})
        for key, value, headers in messages:
            producer.produce(topic, key=key, value=value, headers=headers, partition=partition,
                             timestamp=timestamp_ms,
                             on_delivery=lambda error, _: error and failures.append(error))
        assert producer.flush(PATIENCE_S) == 0 and not failures, failures

    def read(self, topic, count, timeout_s=PATIENCE_S):
        """The first `count` messages of a topic."""
        consumer = confluent_kafka.Consumer({
            "bootstrap.servers": self.address, "group.id": f"test-{uuid.uuid4()}",
            "enable.auto.commit": False, "auto.offset.reset": "earliest",
            "topic.metadata.refresh.interval.ms": 200, "allow.auto.create.topics": False})
        consumer.subscribe([topic])
        messages = []

        def enough():
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                messages.append(message)
            return len(messages) >= count
        try:
            wait_until(enough, f"{count} messages on {topic}", timeout_s)
        finally:
            consumer.close()
        return messages


class Kafka(Broker):
    """A real Kafka on a port that it keeps through kills and restarts."""
    # A killed totals is let into its group again only when its former life counts as dead.
    totals_options = {"kafka_property": ["session.timeout.ms=2000", "heartbeat.interval.ms=500"]}

    def __init__(self, folder):
        self.folder = folder
        self.data = folder / "kafka"
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.process = Process("kafka", folder, [SCRIPT, "run", self.data, self.port])

    def start(self):
        self.process.start()
        wait_until(self.answers, "Kafka to answer", 2 * PATIENCE_S)
        return self

    def answers(self):
        assert self.process.running, f"Kafka has ended: {self.process.log()[-2000:]}"
        return subprocess.run([SCRIPT, "answers", str(self.port)], check=False).returncode == 0

    def kill(self):
        self.process.kill()

    def stop(self):
        self.process.stop()

    def wipe(self):
        """All topics, offsets and groups are gone, as if the disk had been lost."""
        assert not self.process.running
        shutil.rmtree(self.data / "data")

    def close(self):
        self.process.kill()  # nothing in it is needed any more, and a clean stop takes seconds


class EmbeddedBroker(Broker):
    """The mock broker: starts at once, forgets everything when it ends."""

    def __init__(self, folder):
        self.process = Process("broker", folder, [CLI, "broker"])

    def start(self):
        self.process.start()
        self.address = self.process.wait_for_log(r"(?m)^(127\.0\.0\.1:\d+)$").group(1)
        return self

    def close(self):
        self.process.close()
