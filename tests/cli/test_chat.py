"""`parley chat` with a text, in a pipe, and interrupted."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.program import PARLEY, environment, parley


def test_a_text_gets_one_reply_and_nothing_else() -> None:
    done = parley("chat", "hello there")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"hello there\n", b"")


def test_the_subcommand_may_be_left_out() -> None:
    assert parley("hello there").stdout == b"hello there\n"


def test_several_words_are_one_text() -> None:
    assert parley("chat", "hello", "there").stdout == b"hello there\n"


def test_white_space_and_line_breaks_of_a_text_are_kept() -> None:
    assert parley("chat", "  a\n\n\tb  c").stdout == b"  a\n\n\tb  c\n"


def test_each_line_of_the_input_gets_one_reply() -> None:
    done = parley("chat", given="one\ntwo words\n中文\n".encode())
    assert (done.returncode, done.stdout.decode()) == (0, "one\ntwo words\n中文\n")


def test_an_empty_line_gets_an_empty_reply_so_that_lines_stay_aligned() -> None:
    assert parley("chat", given=b"a\n\n  \nb\n").stdout == b"a\n\n\nb\n"


def test_further_lines_of_a_reply_are_told_apart_in_a_pipe() -> None:
    lines = parley("chat", given=b"/help\nafter\n").stdout.decode().splitlines()
    assert [line for line in lines if not line.startswith("\t")] == [lines[0], "after"]
    assert len(lines) > 8


def test_the_last_line_needs_no_line_feed_and_windows_line_ends_are_dropped() -> None:
    assert parley("chat", given=b"a\r\nb").stdout == b"a\nb\n"


def test_a_file_as_input_is_answered(tmp_path: Path) -> None:
    path = tmp_path / "questions.txt"
    path.write_text("\ufeffa\nb\n", encoding="utf-8")
    with path.open("rb") as file:
        done = subprocess.run([PARLEY], stdin=file, capture_output=True, env=environment(), timeout=60, check=True)
    assert done.stdout == b"a\nb\n"


def test_json_has_every_field_of_a_reply() -> None:
    reply = json.loads(parley("chat", "--json", "hello there").stdout)
    assert reply["text"] == "hello there"
    assert reply["intent"] == {"name": "chat", "confidence": 1.0}
    assert reply["act"] is None
    assert reply["generator"] == "echo"
    assert reply["model"]
    assert reply["tokens"]["completion"] == 2
    assert 0 <= reply["seconds"]["queue"] <= reply["seconds"]["first"] <= reply["seconds"]["total"]
    assert (reply["state"], reply["error"]) == ("complete", None)


def test_json_of_a_command_tells_the_act() -> None:
    reply = json.loads(parley("chat", "--json", "/new plans").stdout)
    assert reply["intent"] == {"name": "command.new", "confidence": 1.0}
    assert reply["act"]["name"] == "conversation.new"
    assert reply["act"]["slots"]["name"] == "plans"


def test_json_in_a_pipe_is_one_object_a_line() -> None:
    lines = parley("chat", "--json", given=b"/help\n\nx\n").stdout.splitlines()
    assert [bool(json.loads(line)["text"]) for line in lines] == [True, False, True]


def test_lines_of_one_pipe_are_one_conversation(home: Path) -> None:
    parley("chat", given=b"first\nsecond\n")
    assert conversations(home) == [("first", 4)]


def test_each_run_with_a_text_is_a_conversation_of_its_own(home: Path) -> None:
    parley("chat", "first")
    parley("chat", "second")
    assert conversations(home) == [("first", 2), ("second", 2)]


def test_a_named_conversation_goes_on(home: Path) -> None:
    parley("chat", "--conversation", "plans", "first")
    parley("chat", "--conversation", "plans", "second")
    assert conversations(home) == [("plans", 4)]


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_follows_new_in_a_pipe_is_said_in_the_new_conversation(home: Path, options: tuple[str, ...]) -> None:
    parley("chat", *options, "--conversation", "plans", given=b"first\n/new trip\nsecond\nthird\n")
    assert conversations(home) == [("plans", 2), ("trip", 4)]


def test_what_follows_a_change_of_conversation_in_a_pipe_is_said_there(home: Path) -> None:
    parley("chat", "/new trip")
    parley("chat", "--conversation", "plans", given=b"first\n/conversations trip\nsecond\n/new trip\nthird\n")
    assert sorted(conversations(home)) == [("", 0), ("plans", 2), ("trip", 4)]


def test_continue_goes_on_with_the_last(home: Path) -> None:
    parley("chat", "--continue", "first")
    parley("chat", "--continue", "second")
    assert conversations(home) == [("first", 4)]


def test_input_that_is_not_utf8_is_answered_and_named() -> None:
    done = parley("chat", given=b"caf\xe9\n")
    assert done.returncode == 0
    assert done.stdout.decode() == "caf\ufffd\n"
    assert b"Line 1 is not UTF-8" in done.stderr


def test_an_argument_that_is_not_utf8_is_answered() -> None:
    done = parley("chat", b"caf\xe9")
    assert (done.returncode, done.stdout.decode()) == (0, "caf\ufffd\n")


def test_a_line_of_a_megabyte_is_answered_whole() -> None:
    line = b"words and " * 100_000
    done = parley("chat", given=line + b"\nafter\n")
    assert done.returncode == 0
    assert done.stdout == line + b"\nafter\n"


def test_a_line_over_the_window_is_refused_and_the_next_is_answered() -> None:
    done = parley("chat", given=b"word " * 5000 + b"\nafter\n", variables={"PARLEY_MODEL__CONTEXT_LENGTH": "1000"})
    assert done.returncode == 1
    assert done.stdout == b"\nafter\n"
    assert b"too long" in done.stderr


def test_a_failure_is_told_on_standard_error_with_a_status() -> None:
    done = parley("chat", "hi", variables={"PARLEY_MODEL__GENERATOR": "auto", "PARLEY_MODEL__NAME": "no-such-model"})
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"no-such-model" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_refused_command_is_told_on_standard_error_with_a_status() -> None:
    done = parley("chat", "/nonsense")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"no command `/nonsense`" in done.stderr


def test_a_refused_command_in_a_pipe_leaves_its_line_empty_and_the_next_is_answered() -> None:
    done = parley("chat", given=b"/persona pirate-king\nafter\n")
    assert (done.returncode, done.stdout) == (1, b"\nafter\n")
    assert b"no persona `pirate-king`" in done.stderr


def test_a_refused_command_has_its_words_in_the_object_too() -> None:
    done = parley("chat", "--json", "/nonsense")
    reply = json.loads(done.stdout)
    assert done.returncode == 1
    assert reply["act"] == {"name": "reject", "slots": {"reason": "unknown_command"}}
    assert "no command `/nonsense`" in reply["text"]
    assert reply["text"].encode() in done.stderr


def test_an_answer_that_a_command_asks_for_is_whole() -> None:
    assert parley("chat", given=b"one two three\n/retry\n").stdout == b"one two three\none two three\n"


def test_a_misspelt_key_is_named_with_the_nearest() -> None:
    done = parley("chat", "hi", variables={"PARLEY_MODEL__THREDS": "2"})
    assert done.returncode == 1
    assert b"PARLEY_MODEL__THREDS" in done.stderr
    assert b"PARLEY_MODEL__THREADS" in done.stderr


def test_a_misspelt_subcommand_is_not_said_to_the_model() -> None:
    done = parley("docter")
    assert done.returncode == 1
    assert b"parley doctor" in done.stderr


@pytest.mark.parametrize(("words", "option"), [(["help"], ["--help"]), (["help", "doctor"], ["doctor", "--help"])])
def test_help_as_a_word_is_help_as_an_option(words: list[str], option: list[str]) -> None:
    done = parley(*words)
    assert done.returncode == 0
    assert done.stdout == parley(*option).stdout
    assert done.stdout.startswith(b"usage: parley")


def test_help_among_other_words_is_said_to_the_assistant() -> None:
    assert parley("help", "me").stdout == b"help me\n"


def test_help_says_that_other_words_are_said_to_the_assistant() -> None:
    told = " ".join(parley("--help").stdout.decode().split())
    assert 'Any other words are said to the assistant: parley "What is a haiku?"' in told


@pytest.mark.parametrize("option", [("--now", "yesterday"), ("--tz", "Mars/Olympus")])
def test_a_clock_that_cannot_be_set_is_told(option: tuple[str, str]) -> None:
    done = parley("chat", *option, "hi")
    assert done.returncode == 1
    assert option[1].encode() in done.stderr


def test_the_clock_of_a_run_can_be_set(home: Path) -> None:
    parley("chat", "--now", "2031-05-06T07:08", "--tz", "Asia/Tokyo", "hi")
    with sqlite3.connect(home / "parley.db") as database:
        assert database.execute("select at from turns limit 1").fetchone()[0].startswith("2031-05-05 22:08")


def test_a_chinese_user_is_told_in_chinese() -> None:
    done = parley("chat", "/undo", variables={"LANG": "zh_CN.UTF-8"})
    assert "没有可以撤回的内容" in done.stderr.decode()


def test_no_colours_and_no_control_sequences_in_a_pipe() -> None:
    done = parley("chat", "**bold** and `code`")
    assert done.stdout == b"**bold** and `code`\n"


def test_a_closed_pipe_ends_it_quietly() -> None:
    with subprocess.Popen(
        [PARLEY, "chat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(b"one\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"one\n"
        process.stdout.close()
        process.stdin.write(b"two\nthree\n")
        process.stdin.close()
        assert process.wait(30) == 141
        assert process.stderr.read() == b""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_waiting_run_at_once(number: signal.Signals, status: int) -> None:
    with subprocess.Popen(
        [PARLEY, "chat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(b"one\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"one\n"
        process.send_signal(number)
        assert process.wait(30) == status
        assert process.stderr.read() == b""


def test_a_signal_in_the_middle_of_a_reply_keeps_what_was_said(home: Path) -> None:
    slow = environment(PARLEY_MODEL__ECHO_DELAY_SECONDS="0.02")
    with subprocess.Popen(
        [PARLEY, "chat", "word " * 3000], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=slow
    ) as process:
        assert process.stdout
        assert os.read(process.stdout.fileno(), 4) == b"word"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    with sqlite3.connect(home / "parley.db") as database:
        rows = database.execute("select role, state, text from turns order by id").fetchall()
    assert [row[:2] for row in rows] == [("user", "complete"), ("assistant", "stopped")]
    assert rows[1][2].startswith("word")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_reply_cut_by_a_signal_ends_its_line(form: str, number: signal.Signals, status: int, home: Path) -> None:
    slow = environment(PARLEY_MODEL__ECHO_DELAY_SECONDS="0.02")
    options = ["--json"] if form == "json" else []
    with subprocess.Popen(
        [PARLEY, "chat", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=slow
    ) as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(b"a\n" + b"word " * 3000 + b"\nnever\n")
        process.stdin.flush()
        first = process.stdout.readline()
        wait_for_turns(home, 3)
        process.send_signal(number)
        rest = process.stdout.read()
        assert (process.wait(30), process.stderr.read()) == (status, b"")
    assert rest.endswith(b"\n")
    assert rest.count(b"\n") == 1
    assert b"never" not in rest
    if form == "json":
        assert [json.loads(line)["state"] for line in (first, rest)] == ["complete", "stopped"]


def test_an_object_cut_by_a_signal_has_what_was_said(home: Path) -> None:
    slow = environment(PARLEY_MODEL__ECHO_DELAY_SECONDS="0.02")
    with subprocess.Popen([PARLEY, "chat", "--json", "word " * 3000], stdout=subprocess.PIPE, env=slow) as process:
        wait_for_turns(home, 1)
        process.send_signal(signal.SIGTERM)
        assert process.stdout
        reply = json.loads(process.stdout.read())
        assert process.wait(30) == 143
    assert (reply["state"], reply["error"]) == ("stopped", None)
    assert set(reply["text"].split()) <= {"word"}
    assert reply["seconds"]["total"] > 0


def test_two_programs_on_one_database_answer_side_by_side(home: Path) -> None:
    processes = [
        subprocess.Popen([PARLEY, "chat", f"number {number}"], stdout=subprocess.PIPE, env=environment())
        for number in range(3)
    ]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert outputs == [b"number 0\n", b"number 1\n", b"number 2\n"]
    assert len(conversations(home)) == 3


def test_runs_of_scripts_are_not_listed_among_a_persons_conversations() -> None:
    parley("chat", "--conversation", "plans", "mine")
    parley("chat", "asked once")
    parley("chat", given=b"asked in a pipe\n")
    listed = parley("chat", "/conversations").stdout.decode()
    assert "1. plans" in listed
    assert "asked" not in listed


def test_a_conversation_in_which_nothing_was_said_is_not_listed() -> None:
    parley("chat", given=b"/new\n/new\n")
    assert parley("chat", "/conversations").stdout.decode() == "There are no conversations yet.\n"


def test_a_long_list_of_conversations_says_how_to_see_the_rest() -> None:
    parley("chat", given="".join(f"/new plan {number}\n" for number in range(25)).encode())
    listed = parley("chat", "/conversations").stdout.decode()
    assert "20. plan 5" in listed
    assert "plan 4" not in listed
    assert "5 more: /conversations all" in listed
    everything = parley("chat", "/conversations all").stdout.decode()
    assert "25. plan 0" in everything
    assert "more" not in everything
    assert "“plan 1”" in parley("chat", "/conversations 24").stdout.decode()


def test_conversations_of_one_name_are_told_apart_and_chosen_by_number() -> None:
    parley("chat", "--continue", given=b"hello\nthe first of them\n")
    parley("chat", "/new")
    parley("chat", "--continue", given=b"hello\nthe second of them\n")
    listed = parley("chat", "/conversations").stdout.decode().splitlines()
    assert listed[-2].startswith("1. hello") and listed[-2].endswith("the second of them")
    assert listed[-1].startswith("2. hello") and listed[-1].endswith("the first of them")
    asked = parley("chat", "/conversations hello")
    assert asked.returncode == 1
    assert b"Several" in asked.stderr
    assert b"the first of them" in asked.stderr
    assert parley("chat", "/conversations 2").returncode == 0
    assert parley("chat", "--continue", "/undo").stdout.decode() == "Taken back: “the first of them”\n"


def test_a_name_that_is_taken_is_not_given_again() -> None:
    parley("chat", "/new plans")
    again = parley("chat", "/new plans")
    assert again.returncode == 1
    assert b"`/conversations plans`" in again.stderr


def wait_for_turns(home: Path, count: int) -> None:
    """Wait until so many turns are stored: at an odd number the program is answering."""
    deadline = time.monotonic() + 20
    while turns(home) < count:
        assert time.monotonic() < deadline


def turns(home: Path) -> int:
    """The number of turns that are stored."""
    if not (home / "parley.db").exists():
        return 0
    with contextlib.suppress(sqlite3.OperationalError), sqlite3.connect(home / "parley.db") as database:
        count: int = database.execute("select count(*) from turns").fetchone()[0]
        return count
    return 0


def conversations(home: Path) -> list[tuple[str, int]]:
    """Name and number of turns of each conversation, oldest first."""
    with sqlite3.connect(home / "parley.db") as database:
        query = "select c.name, count(t.id) from conversations c left join turns t on t.conversation_id = c.id"
        return database.execute(f"{query} group by c.id order by c.id").fetchall()
