# SPDX-License-Identifier: Apache-2.0
"""What must be refused at the start: one clear line, the right exit code, no core dump."""
import signal
import socket
import sqlite3

import pytest

from harness.disk import tmpfs
from harness.process import BUILD, run
from harness.services import Adder, Totals

PROGRAMS = {"adder": BUILD / "src/adder/abacus-adder", "totals": BUILD / "src/totals/abacus-totals",
            "cli": BUILD / "src/cli/abacus-cli"}
NO_KAFKA = "127.0.0.1:1"  # nobody listens there; the services start all the same


def refused(program, *options, environment=None):
    """Runs a program that must refuse; (exit code, what it said)."""
    done = run(PROGRAMS[program], *options, environment=environment, check=False)
    assert done.returncode > 0, f"{program} {options}: exit code {done.returncode}"
    return done.returncode, (done.stdout + done.stderr).strip()


@pytest.mark.parametrize("program", ["adder", "totals"])
@pytest.mark.parametrize("options, word", [
    (["--admin-port", "x"], "admin-port"), (["--admin-port", "65536"], "admin-port"),
    (["--admin-port", "-1"], "admin-port"), (["--admin-port"], "admin-port"),
    (["--log-format", "xml"], "log-format"), (["--nonsense", "1"], "--nonsense"),
    (["--kafka-property", "no.such.property=1"], "no.such.property"),
    (["--kafka-property", "novalue"], "novalue"),
    (["--kafka-property", "enable.idempotence=false"], "enable.idempotence"),
    (["word"], "word")])
def test_wrong_option_is_exit_code_2_and_one_line_that_names_it(tmp_path, program, options, word):
    if program == "totals" and "enable.idempotence" in word:
        options, word = ["--kafka-property", "enable.auto.commit=true"], "enable.auto.commit"
    file = "--outbox" if program == "adder" else "--ledger"
    port = "--grpc-port" if program == "adder" else "--http-port"
    code, said = refused(program, port, 0, file, tmp_path / "x.db", *options)
    assert code == 2, said
    last = said.splitlines()[-1]
    assert word in last or (word == "word" and "command" in last)


@pytest.mark.parametrize("options, word", [
    (["frobnicate"], "frobnicate"), (["add", "1"], ""), (["add", "1", "x"], "x"),
    (["add", "1", "9" * 20], "9" * 20), (["load", "--count", "x"], "x")])
def test_wrong_use_of_the_command_line_is_exit_code_2(options, word):
    code, said = refused("cli", *options)
    assert code == 2 and word in said, said


def test_wrong_environment_variable_is_named():
    code, said = refused("adder", environment={"ABACUS_GRPC_PORT": "many"})
    assert code == 2 and "ABACUS_GRPC_PORT" in said


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_and_version_are_exit_code_0(program):
    assert "--help" in run(PROGRAMS[program], "--help").stdout or program == "cli"
    assert run(PROGRAMS[program], "--version").stdout.split()[0] == f"abacus-{program}"


# --- ports ---
@pytest.mark.parametrize("program, option", [("adder", "grpc"), ("adder", "admin"),
                                             ("totals", "http"), ("totals", "admin")])
def test_taken_port_is_named(tmp_path, program, option):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"--grpc-port" if program == "adder" else "--http-port": 0, "--admin-port": 0,
                 f"--{option}-port": port}
        words = [word for pair in ports.items() for word in pair]
        file = "--outbox" if program == "adder" else "--ledger"
        code, said = refused(program, *words, file, tmp_path / "x.db")
    assert code == 1 and str(port) in said, said


# --- files ---
def service(program, folder, file, **options):
    if program == "adder":
        return Adder(folder, NO_KAFKA, "sums", outbox=file, **options)
    return Totals(folder, NO_KAFKA, "sums", ledger=file, **options)


def refuses_file(program, file):
    flag, port = ("--outbox", "--grpc-port") if program == "adder" else ("--ledger", "--http-port")
    code, said = refused(program, flag, file, port, 0, "--admin-port", 0)
    assert code == 1, said
    assert str(file) in said
    return said


def foreign(file):
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE theirs (x)")
        database.execute("PRAGMA application_id = 42")
    database.close()


def not_a_database(file):
    file.write_bytes(b"hello, this is a text that is long enough to be looked at" * 100)


def a_folder(file):
    file.mkdir()


@pytest.mark.parametrize("program", ["adder", "totals"])
@pytest.mark.parametrize("spoil", [foreign, not_a_database, a_folder])
def test_file_that_is_not_ours_is_refused_and_left_alone(tmp_path, program, spoil):
    file = tmp_path / "x.db"
    spoil(file)
    before = file.read_bytes() if file.is_file() else None
    refuses_file(program, file)
    assert before == (file.read_bytes() if file.is_file() else None)


@pytest.mark.parametrize("program", ["adder", "totals"])
def test_newer_schema_is_refused(tmp_path, program, opened):
    file = tmp_path / "x.db"
    opened(service(program, tmp_path, file)).start().stop()
    with sqlite3.connect(file) as database:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        database.execute(f"PRAGMA user_version = {version + 1}")
    database.close()
    assert "newer" in refuses_file(program, file)


@pytest.mark.parametrize("program, other", [("adder", "totals"), ("totals", "adder")])
def test_the_other_service_s_file_is_refused(tmp_path, program, other, opened):
    file = tmp_path / "x.db"
    opened(service(other, tmp_path, file)).start().stop()
    refuses_file(program, file)


@pytest.mark.parametrize("program", ["adder", "totals"])
def test_damaged_file_is_refused(tmp_path, program, opened):
    file = tmp_path / "x.db"
    opened(service(program, tmp_path, file)).start().stop()
    content = bytearray(file.read_bytes())
    for place in range(100, len(content), 7):  # the head stays: it is still called a database
        content[place] = 0xA5
    file.write_bytes(content)
    refuses_file(program, file)


@pytest.mark.parametrize("program", ["adder", "totals"])
def test_folder_that_is_not_there_is_named(tmp_path, program):
    refuses_file(program, tmp_path / "nowhere" / "x.db")


@pytest.mark.parametrize("program", ["adder", "totals"])
def test_folder_that_cannot_be_written_is_named(tmp_path, program):
    with tmpfs(tmp_path / "disk", "ro") as folder:
        refuses_file(program, folder / "x.db")


@pytest.mark.parametrize("program", ["adder", "totals"])
def test_second_process_on_a_file_is_told_who_holds_it(tmp_path, program, opened):
    file = tmp_path / "x.db"
    holder = opened(service(program, tmp_path, file)).start()
    assert str(holder.pid) in refuses_file(program, file)
    holder.kill()  # the claim goes with the process, however it ends
    opened(service(program, tmp_path, file, name=program + "-2")).start()


# --- signals ---
@pytest.mark.parametrize("program", ["adder", "totals"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_service_without_kafka_stops_when_asked(tmp_path, program, number, opened):
    running = opened(service(program, tmp_path, tmp_path / "x.db")).start()
    running.signal(number)
    assert running.wait() == 0
