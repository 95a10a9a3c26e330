# SPDX-License-Identifier: Apache-2.0
"""Adds without end, by careful clients: each add has a request id and is tried until answered.

So when the load has stopped, the total must hold exactly what was answered, whatever died.
"""
import collections
import threading
import uuid

import grpc

from .client import AdderClient
from .process import pause, wait_until


class Load:
    """`with Load(adder) as load:` runs until the end of the block."""

    def __init__(self, adder, threads=4):
        self.address = adder.addresses["grpc"]
        self.lock = threading.Lock()
        self.sum = self.count = 0  # of what was answered
        self.failures = collections.Counter()  # attempts that were tried again, by status
        self.stopping = threading.Event()
        self.may_add = threading.Event()
        self.may_add.set()
        self.idle = threading.Semaphore(0)
        self.threads = [threading.Thread(target=self._run, args=(n,), daemon=True)
                        for n in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.may_add.set()
        for thread in self.threads:
            thread.join()

    def answered(self, more):
        """Blocks until so many more adds are answered."""
        goal = self.count + more
        wait_until(lambda: self.count >= goal, f"{more} more adds to be answered", 120)

    def hold(self):
        """Blocks until every add that was begun is answered; none is begun before go_on."""
        self.may_add.clear()
        for _ in self.threads:
            assert self.idle.acquire(timeout=120), "an add was not answered for two minutes"

    def go_on(self):
        self.may_add.set()

    def _run(self, number):
        with AdderClient(self.address) as client:
            a = number * 1_000_000_000
            while not self.stopping.is_set():
                a += 1
                self._add(client, a)
                if not self.may_add.is_set():
                    self.idle.release()
                    self.may_add.wait()

    def _add(self, client, a):
        request_id = str(uuid.uuid4())
        while True:
            try:
                total = client.add(a, 1, request_id).sum
                with self.lock:
                    self.sum, self.count = self.sum + total, self.count + 1
                return
            except grpc.RpcError as error:
                with self.lock:
                    self.failures[error.code()] += 1
                pause(0.02)  # as a client should, before it tries again
