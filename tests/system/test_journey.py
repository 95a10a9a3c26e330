# SPDX-License-Identifier: Apache-2.0
"""`abacus-cli journey`: one event found in the topic."""
import threading

import confluent_kafka

from harness import events
from harness.process import CLI, PATIENCE_S, run

SOURCE = "01234567-89ab-4cde-8f01-23456789abcd"
BACKLOG = 3000


def test_event_is_found_although_another_partition_never_stops_growing(embedded):
    """A growing partition has its end reached many times before the other is read once."""
    producer = confluent_kafka.Producer({"bootstrap.servers": embedded.address, "linger.ms": 1})
    for sequence in range(1, BACKLOG + 1):
        producer.produce("sums", partition=1, key=SOURCE, value=events.value(sequence, 0),
                         headers=events.headers(SOURCE, sequence))
    assert producer.flush(PATIENCE_S) == 0
    enough = threading.Event()

    def grow():
        while not enough.wait(0.001):
            producer.produce("sums", partition=0, key=b"somebody", value=b"else")
            producer.poll(0)
    growing = threading.Thread(target=grow)
    growing.start()
    try:
        done = run(CLI, "journey", "--source", SOURCE, "--sequence", BACKLOG,
                   "--kafka-bootstrap-servers", embedded.address, "--kafka-topic", "sums",
                   "--kafka-property", "max.partition.fetch.bytes=2000",
                   "--totals", "http://127.0.0.1:1", check=False)
    finally:
        enough.set()
        growing.join()
        producer.flush(PATIENCE_S)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "partition 1, offset 2999" in done.stdout


def test_what_somebody_wrote_into_headers_does_not_move_the_terminal(embedded):
    producer = confluent_kafka.Producer({"bootstrap.servers": embedded.address, "linger.ms": 1})
    producer.produce("sums", partition=0, key=SOURCE, value=events.value(1, 0),
                     headers=[*events.headers(SOURCE, 1), ("mine\x1b[2J", "\u009b2J\r\nledger")])
    assert producer.flush(PATIENCE_S) == 0
    done = run(CLI, "journey", "--source", SOURCE, "--sequence", 1, "--kafka-bootstrap-servers",
               embedded.address, "--kafka-topic", "sums", "--totals", "http://127.0.0.1:1",
               check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "        header mine [2J:  2J  ledger\n" in done.stdout
