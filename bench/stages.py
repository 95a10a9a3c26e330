# SPDX-License-Identifier: Apache-2.0
"""Where the processor's time goes in one add, for bench/run.py: what each thread of each process
used while a load ran, divided by the adds. A stage of the way is a thread (src/adder, src/totals),
so this needs no profiler and costs nothing. With one, the same by library:

    perf record -e cpu-clock -p PID,PID; perf report --sort comm,dso
"""
import pathlib
import resource

from system import Row, System

STAGES = {
    "broker": {"rdk:mock": "the broker itself"},
    "adder": {
        "grpc": "socket, HTTP/2, gRPC, Protobuf, check, answer",
        "writer": "outbox: INSERT and COMMIT, in groups",
        "relay": "rows read, events encoded, given to librdkafka",
        "rdk:broker": "librdkafka: batches, compresses, sends",
    },
    "totals": {
        "rdk:broker": "librdkafka: fetches, decompresses, checks",
        "consumer": "events decoded and applied, ledger committed",
    },
}
REST_OF_IT = "everything else"


def thread_ns(process):
    """Nanoseconds on a processor, by the thread's name (proc(5), schedstat)."""
    used = {}
    for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        used[name] = used.get(name, 0) + int((task / "schedstat").read_text().split()[0])
    return used


def by_stage(service):
    stages = STAGES[service.name]
    used = dict.fromkeys([*stages.values(), REST_OF_IT], 0)
    for thread, ns in thread_ns(service.process).items():
        known = [what for name, what in stages.items() if thread.startswith(name)]
        used[known[0] if known else REST_OF_IT] += ns
    return used


def children_ns():
    """What processes have used that have ended: of those, between two looks, only the load."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1e9 * (used.ru_utime + used.ru_stime)


def stages(bench):
    with System(bench) as system:
        system.load_until_applied(seconds=1)  # warm
        before, generator = [by_stage(service) for service in system.services], children_ns()
        done = system.load_until_applied(seconds=bench.seconds)
        yield Row("the load generator", (children_ns() - generator) / done.acknowledged, "ns",
                  done.command)
        for service, was in zip(system.services, before):
            for what, ns in by_stage(service).items():
                yield Row(f"{service.name}: {what}", (ns - was[what]) / done.acknowledged, "ns",
                          done.command)
