# SPDX-License-Identifier: Apache-2.0
"""What the services take from their machine, in all and for each add."""
from panels import above, below, board, graph, query, row, stat

CHOSEN = 'job=~"$job", instance=~"$instance"'


def rate(series, by):
    return f"sum by ({by}) (rate({series}{{{CHOSEN}}}[$__rate_interval]))"


BOARD = board(
    "resources", "Abacus: resources",
    "CPU, memory, files and disk of each service. A rise that follows the load is cost; one that "
    "goes on without load is a leak.",
    row("At a glance",
        stat("CPU", "Of one core; user and system.", "a few % at 1,000 adds/s.", "percentunit",
             query(rate("process_cpu_time_seconds_total", "job"), "{{job}}")),
        stat("CPU for 1,000 adds", "What an add costs. It falls with the load: batches grow.",
             "some milliseconds under load, more when nearly idle.", "s",
             query(f"""1000 * sum by (job) (
                     rate(process_cpu_time_seconds_total{{{CHOSEN}}}[$__rate_interval]))
                 / on () group_left () (
                     sum(rate(abacus_outbox_appended_total[$__rate_interval])) > 0)""",
                   "{{job}}")),
        stat("Memory", "Resident.", "under 20 MB, also at full load.", "bytes",
             query(f"max by (job) (process_memory_usage_bytes{{{CHOSEN}}})", "{{job}}"),
             limits=above(20e6, 64e6)),
        stat("Disk left", "Of the disk under each store. At 16 MiB the adder stops taking adds.",
             "above 20 %.", "percentunit",
             query(f"""min by (store) (abacus_store_disk_free_bytes{{{CHOSEN}}}
                 / abacus_store_disk_size_bytes{{{CHOSEN}}})""", "{{store}}"),
             limits=below(0.05, 0.2)),
        stat("Files used", "Open file descriptors of those allowed.", "under 50 %.",
             "percentunit", query(f"""max by (job) (process_unix_file_descriptor_count{{{CHOSEN}}}
                 / abacus_process_file_descriptor_limit{{{CHOSEN}}})""", "{{job}}"),
             limits=above(0.5, 0.9)),
        stat("Up for", "Since the start. Short without a reason: it restarts by itself.",
             "since your last roll-out.", "s",
             query(f"min by (job) (process_uptime_seconds{{{CHOSEN}}})", "{{job}}"))),
    row("Processor",
        graph("CPU by mode", "100 % is one core. Much system time is disk and network.",
              "follows the load.", "percentunit",
              query(rate("process_cpu_time_seconds_total", "job, cpu_mode"),
                    "{{job}} {{cpu_mode}}"), stack=True),
        graph("CPU for 1,000 adds over time", "Compare before and after a change.",
              "some milliseconds under load.", "s",
              query(f"""1000 * sum by (job) (
                      rate(process_cpu_time_seconds_total{{{CHOSEN}}}[$__rate_interval]))
                  / on () group_left () (
                      sum(rate(abacus_outbox_appended_total[$__rate_interval])) > 0)""",
                    "{{job}}"), log_scale=True),
        graph("Context switches", "Involuntary: more work than cores. Voluntary: waiting, which is "
              "what a server does.", "mostly voluntary.", "ops",
              query(rate("process_context_switches_total", "job, process_context_switch_type"),
                    "{{job}} {{process_context_switch_type}}"))),
    row("Memory, threads, files",
        graph("Resident memory", "Rises with connections and batches, and stays flat then.",
              "under 20 MB a service.", "bytes",
              query(f"sum by (job, instance) (process_memory_usage_bytes{{{CHOSEN}}})",
                    "{{job}} {{instance}}"),
              query(f"max by (job) (abacus_process_memory_peak_bytes{{{CHOSEN}}})",
                    "{{job}} peak")),
        graph("Threads", "Fixed after the start.", "flat.", "short",
              query(f"sum by (job, instance) (process_thread_count{{{CHOSEN}}})",
                    "{{job}} {{instance}}")),
        graph("Open files", "One a connection, some for the store and Kafka.",
              "follows the connections.", "short",
              query(f"sum by (job, instance) (process_unix_file_descriptor_count{{{CHOSEN}}})",
                    "{{job}} {{instance}}")),
        graph("Page faults", "Major: memory is short, pages come from disk.", "major near 0.",
              "ops", query(rate("process_paging_faults_total", "job, system_paging_fault_type"),
                           "{{job}} {{system_paging_fault_type}}"))),
    row("Disk",
        graph("Store size", "The outbox keeps a day or a million rows, so that they can be sent "
              "again; then its size stays.", "outbox: up to some hundred MB; ledger: under 1 MB.",
              "bytes", query(f"sum by (store, instance) (abacus_store_file_bytes{{{CHOSEN}}})",
                             "{{store}} {{instance}}")),
        graph("Write-ahead log", "Written first, then copied into the file. Growing without end: "
              "something reads and never ends.", "some MB, up and down.", "bytes",
              query(f"sum by (store, instance) (abacus_store_wal_bytes{{{CHOSEN}}})",
                    "{{store}} {{instance}}")),
        graph("Disk left over time", "Of the disk under each store.", "flat.", "bytes",
              query(f"min by (store, instance) (abacus_store_disk_free_bytes{{{CHOSEN}}})",
                    "{{store}} {{instance}}"))),
    variables=("job", "instance"))
