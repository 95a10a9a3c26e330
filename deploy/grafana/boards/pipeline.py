# SPDX-License-Identifier: Apache-2.0
"""Between the two services: outbox, relay, Kafka, consumer."""
from expressions import OURS, mean, or_zero, quantile, rates
from panels import AFTER_ERROR, YES_NO, above, below, board, graph, query, row, stat

CHOSEN = f'{OURS}, instance=~"$instance"'


def quantiles(histogram, *by):
    return [query(quantile(share, histogram, CHOSEN, by),
                  " ".join([name] + [f"{{{{{label}}}}}" for label in by]))
            for share, name in ((0.5, "p50"), (0.99, "p99"))]


def sizes(histogram):
    """The mean is exact; a quantile is not: of a bucket that holds only ones it says 0.5."""
    return [query(mean(histogram, CHOSEN), "mean"),
            query(quantile(0.99, histogram, CHOSEN), "p99")]


def rate(counter):
    return rates(counter, CHOSEN)


BOARD = board(
    "pipeline", "Abacus: outbox and Kafka",
    "Where events wait between the add and the total, and what carries them on.",
    row("At a glance",
        stat("Backlog", "Sums that are durable and not yet acknowledged by Kafka.",
             "near 0; grows while Kafka is away and drains by itself.", "short",
             query(f"sum(abacus_outbox_backlog_events{{{CHOSEN}}})"), limits=above(1e4, 1e6)),
        stat("Backlog's limit used", "At 100 % adds are refused with RESOURCE_EXHAUSTED.",
             "near 0 %.", "percentunit",
             query(f"""max(abacus_outbox_backlog_events{{{CHOSEN}}}
                 / (abacus_outbox_backlog_limit_events{{{CHOSEN}}} > 0))"""),
             limits=above(0.1, 0.5)),
        stat("Oldest", "How long the oldest of them has waited.", "under 1 s.", "s",
             query(f"max(abacus_outbox_oldest_age_seconds{{{CHOSEN}}})"), limits=above(5, 60)),
        stat("Kafka takes events", "Whether every relay's last send worked.", "yes.", "none",
             query(f"min(abacus_relay_connected{{{CHOSEN}}})"), limits=below(1, 1), words=YES_NO),
        stat("Lag", "Messages in Kafka that the ledger does not have. No data: totals has no "
             "partition, or Kafka does not say where it ends.",
             "near 0; under load about one batch.", "short",
             query(f"sum(abacus_consumer_lag_events{{{CHOSEN}}})"), limits=above(1e4, 1e6)),
        stat("Behind by", "How long ago the ledger's place was the end of the worst partition. "
             "No data: as for the lag.",
             "under 1 s.", "s", query(f"max(abacus_consumer_lag_seconds{{{CHOSEN}}})"),
             limits=above(1, 10)),
        stat("Partitions", "Partitions that the group gave to the consumers.",
             "all of the topic (4 unless told otherwise); 0: nobody counts.", "none",
             query(f"sum(abacus_consumer_assigned_partitions{{{CHOSEN}}})"), limits=below(1, 1))),
    row("Outbox",
        graph("Backlog by adder", "Grows: Kafka or the relay is slower than the adds. At the limit "
              "adds are refused.", "near 0.", "short",
              query(f"sum by (instance) (abacus_outbox_backlog_events{{{CHOSEN}}})",
                    "{{instance}}")),
        graph("Oldest sum's age", "Rises one second a second when nothing is published at all.",
              "under 1 s.", "s",
              query(f"max by (instance) (abacus_outbox_oldest_age_seconds{{{CHOSEN}}})",
                    "{{instance}}")),
        graph("Appended against published", "Published below appended: the backlog grows by the "
              "difference. Above: it drains.", "on each other.", "cps",
              query(rate("abacus_outbox_appended_total"), "appended"),
              query(rate("abacus_outbox_published_total"), "published")),
        graph("Adds in one transaction", "Group commit: what queued up is committed together, so "
              "the batch grows with the load and the cost of an add falls.",
              "1 to 2 at light load, dozens or hundreds under heavy load.", "short",
              *sizes("abacus_writer_batch_adds")),
        graph("Adds waiting for the disk", "The queue between the calls and the writer. At its "
              "limit adds are refused with RESOURCE_EXHAUSTED.",
              "about one batch.", "short",
              query(f"sum(abacus_writer_queue_adds{{{CHOSEN}}})", "waiting"),
              query(f"sum(abacus_writer_queue_limit_adds{{{CHOSEN}}})", "limit"), log_scale=True),
        graph("Transactions of the stores", "Time to durable: the disk's flush. DELETE is the "
              "outbox tending itself.",
              "some milliseconds; far more means a slow or a busy disk.", "s",
              *quantiles("db_client_operation_duration_seconds", "db_operation_name",
                         "db_collection_name"), log_scale=True)),
    row("Relay",
        graph("Send duration", "From handing an event to the producer to Kafka's acknowledgement.",
              "some milliseconds on one machine, tens with replicas elsewhere.", "s",
              *quantiles("messaging_client_operation_duration_seconds"), log_scale=True),
        graph("Sent and in flight", "Events handed over each second, and how many wait for their "
              "acknowledgement.", "in flight: some hundreds at most while it keeps up.", "short",
              query(rate("messaging_client_sent_messages_total"), "sent each second"),
              query(f"sum(abacus_relay_in_flight_events{{{CHOSEN}}})", "in flight")),
        graph("Rows read at a time", "How much the relay takes from the outbox at once.",
              "1 to 2 at light load; its maximum while it catches up.", "short",
              *sizes("abacus_relay_batch_events")),
        graph("Relay restarts", "The producer was given up and everything after the last "
              "acknowledged event is sent again: duplicates, never holes.",
              "0; some while Kafka is away.", "short",
              query(or_zero(f"sum(increase(abacus_relay_restarts_total{{{CHOSEN}}}[$__range]))",
                            "abacus-adder"), "all in the time shown"),
              query(f"sum by (error_type) (increase(abacus_relay_restarts_total{{{CHOSEN}}}"
                    "[$__rate_interval]))", "{{error_type}}", AFTER_ERROR)),
        graph("Sends that failed", "Events that Kafka did not acknowledge, by reason. They are "
              "sent again: none is lost.", "empty.", "cps",
              query('sum by (error_type) (rate(messaging_client_sent_messages_total'
                    f'{{error_type!="", {CHOSEN}}}[$__rate_interval]))', "{{error_type}}",
                    AFTER_ERROR)),
        graph("Kafka errors", "What librdkafka reported, by client and its name for it.",
              "empty; _TRANSPORT and _ALL_BROKERS_DOWN while brokers restart.", "cps",
              query("sum by (client, error_type) "
                    f"(rate(abacus_kafka_errors_total{{{CHOSEN}}}[$__rate_interval]))",
                    "{{client}} {{error_type}}", AFTER_ERROR))),
    row("Consumer",
        graph("Lag by partition", "One partition alone: a source that sends much (each source "
              "keeps to one partition). All: totals is too slow. A gap: Kafka does not answer.",
              "near 0.", "short",
              query(f"sum by (partition) (abacus_consumer_lag_events{{{CHOSEN}}})",
                    "partition {{partition}}")),
        graph("Behind by, by partition", "The same in time: how old the total is.", "under 1 s.",
              "s", query(f"max by (partition) (abacus_consumer_lag_seconds{{{CHOSEN}}})",
                         "partition {{partition}}")),
        graph("Taken and counted", "Messages taken from Kafka, and events new to the ledger; the "
              "rest came twice.", "on each other.", "cps",
              query(rate("messaging_client_consumed_messages_total"), "taken"),
              query(rate("abacus_ledger_applied_total"), "counted")),
        graph("Messages in one transaction", "One ledger transaction for what was there.",
              "1 to 2 at light load, hundreds while it catches up.", "short",
              *sizes("abacus_consumer_batch_events")),
        graph("Time for a batch", "From taking a batch in hand to its commit.",
              "some milliseconds.", "s", *quantiles("messaging_process_duration_seconds"),
              log_scale=True),
        graph("Rebalances", "The group moved partitions. While it does, nothing is counted.",
              "one when totals starts, then none.", "short",
              query(f"sum by (kind) (abacus_consumer_rebalances_total{{{CHOSEN}}})", "{{kind}}"),
              query(f"sum(abacus_consumer_assigned_partitions{{{CHOSEN}}})",
                    "partitions assigned"))),
    variables=("instance",))
