# SPDX-License-Identifier: Apache-2.0
"""One process of a test: started, awaited, stopped or killed by its pid, its log searched."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("ABACUS_BUILD", ROOT / "build")).absolute()
CLI = BUILD / "src/cli/abacus-cli"

# A sanitizer's build is slower, and so is a machine that compiles at the same time.
PATIENCE_S = 60

# However the tests end, nothing that they started stays behind.
DIE_WITH_US = ["setpriv", "--pdeathsig", "KILL"]

REPORTS = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|check failed",
                     re.IGNORECASE)

_pause = threading.Event()


def wait_until(condition, what, timeout_s=PATIENCE_S):
    """The first true value of condition(); a test fails when none comes in time."""
    give_up = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < give_up, f"waited {timeout_s} s in vain for {what}"
        _pause.wait(0.01)
    return value


def pause(seconds):
    """For chance, e.g. how long a load runs before something is killed; never to await anything."""
    _pause.wait(seconds)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class Process:
    """A program with its log. All lives of a process that is started again go to the same log."""

    def __init__(self, name, folder, command, environment=None):
        self.name, self.command = name, [str(word) for word in command]
        self.log_path = pathlib.Path(folder) / f"{name}.log"
        self.environment = {**os.environ, **(environment or {})}
        self.popen = None
        self.life_begins = 0  # where in the log the present life begins
        self.killed = False

    def start(self):
        assert not self.running, f"{self.name} runs already"
        self.life_begins = self.log_path.stat().st_size if self.log_path.exists() else 0
        self.killed = self.asked_to_end = False
        with open(self.log_path, "ab") as log:
            self.popen = subprocess.Popen(
                [*DIE_WITH_US, *self.command], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env=self.environment, start_new_session=True)
        return self

    @property
    def running(self):
        return self.popen is not None and self.popen.poll() is None

    @property
    def pid(self):
        return self.popen.pid

    def log(self):
        """What the present life has said so far."""
        with open(self.log_path, "rb") as log:
            log.seek(self.life_begins)
            return log.read().decode(errors="replace")

    def wait_for_log(self, pattern, timeout_s=PATIENCE_S):
        """Awaits a line that matches, and returns the match; a process that has ended fails."""
        def found():
            said = self.log()
            match = re.search(pattern, said)
            assert match or self.running, f"{self.name} has ended: {said[-2000:]}"
            return match
        return wait_until(found, f"{self.name} to say {pattern!r}", timeout_s)

    def signal(self, number):
        self.popen.send_signal(number)

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        """Like a power cut for the process: SIGKILL."""
        if self.running:
            self.killed = True
            self.popen.kill()
            self.popen.wait()

    def terminate(self):
        """Asks it to end (SIGTERM), once: the second time it would end without its clean-up."""
        if self.running and not self.asked_to_end:
            self.asked_to_end = True
            self.resume()
            self.popen.terminate()

    def stop(self, timeout_s=PATIENCE_S):
        """Asks it to end and returns its exit code."""
        self.terminate()
        return self.wait(timeout_s)

    def wait(self, timeout_s=PATIENCE_S):
        return self.popen.wait(timeout_s)

    def close(self):
        """For the end of a test: ends it if it runs, and complains about anything ugly."""
        if self.running:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"{self.name} does not end on SIGTERM") from None
        self.assert_clean()

    def assert_clean(self):
        said = self.log_path.read_text(errors="replace")
        report = REPORTS.search(said)
        assert not report, f"{self.name}: {said[report.start():][:3000]}"
        if self.popen is not None and not self.killed:
            code = self.popen.returncode
            assert code is None or code >= 0, f"{self.name} died of signal {-code}: {said[-2000:]}"


def run(*command, environment=None, timeout_s=PATIENCE_S, check=True):
    """Runs a command to its end; its failure is the test's, unless check is False."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=timeout_s, check=False, env={**os.environ, **(environment or {})})
    if check:
        assert done.returncode == 0, f"{command}: exit code {done.returncode}: " \
            f"{done.stdout}{done.stderr}"
    return done
