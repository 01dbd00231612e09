"""The command line: what it prints, where it prints it, and how errors leave it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
from typer.testing import CliRunner

import routesdk
from routers import PLUGIN, make_router, write_distribution
from routesdk import Router
from routesdk.cli import main
from routesdk.cli.app import app
from routesdk.cli.console import printable
from routesdk.cli.route import CHUNK
from routesdk.record import decision_from_dict


@attrs.frozen
class Result:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Result]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an installed plugin that offers the policy model `fake`."""
    return write_distribution(tmp_path_factory.mktemp("plugins"), "FakePlugin", "routesdk_fake", PLUGIN)


@pytest.fixture(scope="module")
def router_folder(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a router that escalates at a gain of 0.3, and predicts one of 0.25 for all."""
    folder = tmp_path_factory.mktemp("checkpoints") / "router"
    router = make_router({"CC": 0.25, "IC": 0.25, "II": 0.5}, references=["a", "b"])
    return router.save_pretrained(folder)


@pytest.fixture
def run(
    installed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Run the command in this process, as its entry point does."""
    monkeypatch.syspath_prepend(str(installed))
    monkeypatch.setenv("COLUMNS", "160")

    def command(*arguments: object, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "argv", ["routesdk", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return Result(int(left.value.code or 0), said.out, said.err)

    yield command


@pytest.fixture
def route(run: Run, router_folder: Path) -> Run:
    def command(*arguments: object, stdin: bytes = b"") -> Result:
        return run("route", *arguments, "--checkpoint", router_folder, stdin=stdin)

    return command


def refused(result: Result) -> str:
    """Check that an error left as one sentence on standard error, and return it."""
    assert result.code == 2
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    assert "Traceback" not in result.err
    return result.err


# One query.


def test_one_query_is_shown_as_a_small_table(route: Run) -> None:
    result = route("How far is the Moon?")

    assert (result.code, result.err) == (0, "")
    rows = {line.split()[0]: line for line in result.out.splitlines()}
    assert "How far is the Moon?" in rows["query"]
    assert "Ambiguous_Query (tier medium)" in rows["policy"]
    assert "medium-model" in rows["model"]
    assert "50% that the oracle says Ambiguous_Query" in rows["confidence"]
    assert "Standard_Query 25%, Complex_Query 25%, Ambiguous_Query 50%" in rows["probabilities"]
    assert "+0.250 (escalates from +0.300)" in rows["expected"]
    assert "default, policy map: medium-model, since it serves the tier" in rows["trace"]
    assert "explanation" not in rows


def test_json_is_the_one_record_of_a_decision(route: Run, router_folder: Path, installed: Path) -> None:
    result = route("How far is the Moon?", "--json")

    (row,) = result.rows
    assert decision_from_dict(row) == Router.from_pretrained(router_folder).route("How far is the Moon?")


def test_an_explanation_is_shown_when_it_is_asked_for(route: Run) -> None:
    assert "Ambiguous_Query: No tier is correct" in route("Who?", "--explain").out
    assert str(route("Who?", "--explain", "--json").rows[0]["explanation"]).startswith("Ambiguous_Query: ")


def test_markup_and_escapes_in_a_query_are_shown_and_not_obeyed(route: Run) -> None:
    result = route("[red]who[/red] \x1b[2J\x07 [/]?")

    assert "[red]who[/red] \N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER} [/]?" in result.out
    assert "\x1b" not in result.out


def test_a_long_query_is_shortened_in_the_table(route: Run) -> None:
    result = route("x" * 5_000)

    assert "x" * 100 in result.out
    assert "x" * 200 not in result.out.replace("\n", "")
    assert "…" in result.out


def test_printable_text_fits_any_terminal() -> None:
    assert printable("a\ud800b\x00c\nd") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c\nd"
    assert printable("a  b\nc", limit=10) == "a b c"
    assert printable("abcdef", limit=4) == "abc…"


# Many queries.


def test_several_arguments_are_several_rows_and_a_sum(route: Run) -> None:
    result = route("Who?", "When?", "Where?")

    lines = result.out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["Who?", "When?", "Where?"]
    assert "3 queries: 3 to medium-model" in result.out
    assert "estimated cost: unknown" in result.out


def test_a_sum_tells_how_many_prices_it_lacks(route: Run, tmp_path: Path) -> None:
    config = tmp_path / "routesdk.toml"
    config.write_text(
        "[[mapping.rules]]\nname = 'length'\noptions = {max_words = 1, model = 'gemini-2.5-flash'}\n"
    )

    result = route("Who?", "When was that?", "--config", config)

    assert "1 to gemini-2.5-flash, 1 to medium-model" in result.out
    assert ", and 1 of unknown price" in result.out
    assert "estimated cost: $0.000" in result.out


@pytest.mark.parametrize("way", ["file", "dash", "pipe"])
def test_a_file_a_dash_and_a_pipe_give_the_same(route: Run, tmp_path: Path, way: str) -> None:
    lines = b'Who?\n\n  When?  \r\n{"query": "Where?", "id": "mine", "tags": ["law"]}\n \nWhy?'
    file = tmp_path / "queries.txt"
    file.write_bytes(lines)
    arguments: dict[str, list[object]] = {"file": ["--file", file], "dash": ["-f", "-"], "pipe": []}

    result = route("--json", *arguments[way], stdin=b"" if way == "file" else lines)

    assert [row["query_id"] for row in result.rows][2] == "mine"
    assert len(result.rows) == 4
    assert result.rows[1]["query_id"] == routesdk.Query("When?").id
    assert result.err.startswith("left out 2 blank lines of ")


def test_a_conversation_is_read_from_jsonl(route: Run) -> None:
    turns = [
        {"role": "user", "content": "Who wrote Faust?"},
        {"role": "assistant", "content": "Goethe."},
        {"role": "user", "content": "When?"},
    ]

    result = route("--json", stdin=json.dumps({"messages": turns}).encode())

    assert result.rows[0]["query_id"] == routesdk.Query.of(turns).id  # type: ignore[arg-type]


def test_json_keys_that_are_null_count_as_missing(route: Run) -> None:
    line = b'{"messages": null, "query": "Who?", "id": null, "tags": null}'

    (row,) = route("--json", stdin=line).rows

    assert row["query_id"] == routesdk.Query("Who?").id


def test_more_queries_than_a_chunk_are_all_decided_in_their_order(route: Run) -> None:
    texts = [f"Question {number}?" for number in range(CHUNK + 3)]

    result = route("--json", stdin="\n".join(texts).encode())
    table = route(stdin="\n".join(texts).encode())

    assert [row["query_id"] for row in result.rows] == [routesdk.Query(text).id for text in texts]
    assert f"{CHUNK + 3:,} queries" in table.out


@pytest.mark.parametrize(("lines", "shown"), [(2 * CHUNK + 5, True), (5, False)])
def test_a_bar_shows_on_a_terminal_where_there_is_more_than_one_chunk(
    route: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: int, shown: bool
) -> None:
    file = tmp_path / "queries.txt"
    file.write_text("\n".join(f"Question {number}?" for number in range(lines)) + "\n")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    result = route("--file", file, "--json")

    assert len(result.rows) == lines
    assert ("deciding" in result.err) == shown
    assert (f"/{lines}" in result.err) == shown
    assert "query_id" not in result.err


def test_no_bar_shows_where_standard_error_is_no_terminal(route: Run, tmp_path: Path) -> None:
    file = tmp_path / "queries.txt"
    file.write_text("Who?\n" * (CHUNK + 5))

    assert route("--file", file, "--json").err == ""


def test_a_byte_order_mark_is_no_part_of_the_first_query(route: Run, tmp_path: Path) -> None:
    file = tmp_path / "queries.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"query": "Who?"}\n')

    (row,) = route("--json", "--file", file).rows

    assert row["query_id"] == routesdk.Query("Who?").id


def test_bytes_that_are_no_text_are_routed_all_the_same(route: Run, tmp_path: Path) -> None:
    line = b"Who is \xff\xfe\x80?\nWhen?\n"
    file = tmp_path / "queries.txt"
    file.write_bytes(line)

    from_pipe, from_file = route("--json", stdin=line), route("--json", "--file", file)

    assert from_pipe == from_file
    assert len(from_pipe.rows) == 2
    assert route(stdin=line).code == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"query": ', "Expecting value"),
        ("{who}?", "Expecting property name"),
        ('{"question": "Who?"}', "neither 'query' nor 'messages'"),
        ('{"query": 5}', "int given"),
        ('{"query": ""}', "blank"),
        ('{"query": ["Who?"]}', "str 'Who?'"),
        ('{"messages": []}', "no user turn"),
        ('{"messages": [{"role": "robot", "content": "x"}]}', "'robot'"),
        ('{"query": "Who?", "tags": 5}', "tags are 5"),
        ('{"query": "Who?", "tags": "law"}', "tags are 'law'"),
        ('{"query": "Who?", "tags": [5]}', "5"),
        ('{"query": ' + "[" * 100_000, ""),
    ],
    ids=range(12),
)
def test_a_line_that_is_no_query_is_named_by_its_number(route: Run, line: str, said: str) -> None:
    result = route("--json", stdin=f"Who?\n\n{line}\nWhen?\n".encode())

    sentence = refused(result)
    assert "standard input, line 3: " in sentence
    assert said in sentence
    assert "Mend the row" in sentence


# Options.


def test_a_budget_that_is_spent_sends_everything_down(route: Run, tmp_path: Path) -> None:
    up = ["Who?", "--json", "--large-share", "1", "--large", "gemini-2.5-pro", "--medium", "gemini-2.5-flash"]

    before, after = route(*up, "--budget", "10"), route(*up, "--budget", "10", "--spent", "9")

    assert before.rows[0]["model"] == "gemini-2.5-pro"
    assert after.rows[0]["model"] == "gemini-2.5-flash"
    assert after.rows[0]["tier"] == "large"
    assert after.rows[0]["trace"][-1]["source"] == "cost-budget"  # type: ignore[index]


def test_an_overruled_rule_is_told_in_the_table(route: Run, tmp_path: Path) -> None:
    config = tmp_path / "routesdk.toml"
    config.write_text(
        "[mapping]\nmodels = ['tiny']\n"
        "[[mapping.rules]]\nname = 'keyword'\noptions = {words = ['moon'], model = 'large-model'}\n"
        "[[mapping.rules]]\nname = 'length'\noptions = {max_words = 9, model = 'tiny'}\n"
    )

    result = route("How far is the Moon?", "--config", config)

    assert "override, keyword: large-model, since the query has the word 'moon'" in result.out
    assert "override, length: tiny, since the query has 5 words" in result.out
    assert "overruled: large-model stays" in result.out


def test_spent_money_counts_for_a_budget_from_the_config_too(
    run: Run, router_folder: Path, tmp_path: Path
) -> None:
    config = tmp_path / "routesdk.toml"
    config.write_text(
        f"[router]\ncheckpoint = '{router_folder}'\nlarge_share = 1.0\n"
        "medium = 'gemini-2.5-flash'\nlarge = 'gemini-2.5-pro'\n"
        "[[mapping.rules]]\nname = 'cost-budget'\noptions = {budget_usd = 10}\n"
    )

    before, after = (
        run("route", "Who?", "--json", "--config", config, *spent) for spent in ([], ["--spent", "9.5"])
    )

    assert before.rows[0]["model"] == "gemini-2.5-pro"
    assert after.rows[0]["model"] == "gemini-2.5-flash"


def test_tiers_are_bound_by_name_and_what_was_never_learned_is_noticed(route: Run) -> None:
    result = route("Who?", "--tier", "small=gpt-5-mini", "--tier", "big=gpt-5.2")

    assert "gpt-5-mini was never learned" in result.out
    assert "gpt-5.2 was never learned" in result.out
    assert "(tier small)" in result.out


@pytest.mark.parametrize(("share", "tier"), [("0", "medium"), ("1", "large")])
def test_the_share_of_large_calls_moves_the_decision(route: Run, share: str, tier: str) -> None:
    (row,) = route("Who?", "--json", "--large-share", share).rows

    assert row["tier"] == tier
    assert row["operating_point"]["large_share"] == float(share)  # type: ignore[index]


def test_every_decision_is_logged_where_it_is_asked_for(route: Run, tmp_path: Path) -> None:
    log = tmp_path / "decisions.jsonl"

    route("Who?", "When?", "--log", log)
    route("Where?", "--log", log)

    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert [row["event"] for row in rows] == ["decision"] * 3
    assert rows[2]["decision"]["query_id"] == routesdk.Query("Where?").id


def test_the_command_line_comes_before_the_config(run: Run, router_folder: Path, tmp_path: Path) -> None:
    config = tmp_path / "routesdk.toml"
    config.write_text(
        f"[router]\ncheckpoint = '{router_folder}'\nlarge = 'config-model'\nlarge_share = 0.0\n"
    )

    (row,) = run("route", "Who?", "--json", "-c", config, "--large", "my-model", "--large-share", "1").rows

    assert row["model"] == "my-model"


def test_tiers_on_the_command_line_replace_the_models_of_the_config(
    run: Run, router_folder: Path, tmp_path: Path
) -> None:
    config = tmp_path / "routesdk.toml"
    config.write_text(f"[router]\ncheckpoint = '{router_folder}'\nmedium = 'a'\nlarge = 'b'\n")

    (row,) = run("route", "Who?", "--json", "-c", config, "--tier", "small=c", "--tier", "big=d").rows

    assert (row["tier"], row["model"]) == ("small", "c")


# Errors.


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Who?", "--large-share", "2"], "large_share = 2.0"),
        (["Who?", "--large-share", "-0.5"], "large_share = -0.5"),
        (["Who?", "--large-share", "nan"], "large_share"),
        (["Who?", "--budget", "-1"], "budget_usd"),
        (["Who?", "--budget", "nan"], "budget_usd"),
        (["Who?", "--budget", "much"], "budget_usd = 'much'"),
        (["Who?", "--budget", "5", "--spent", "lots"], "settled_usd = 'lots'"),
        (["Who?", "--tier", "medium"], "--tier = 'medium'"),
        (["Who?", "--tier", "=m"], "--tier = '=m'"),
        (["Who?", "--tier", "a=x", "--tier", "a=y"], "stands twice"),
        (["Who?", "--tier", "a=x", "--tier", "b=x"], "stands at two tiers"),
        (["Who?", "--tier", "a=x"], "two to eight tiers"),
        (["Who?", "--spent", "3"], "was given without a budget"),
        (["Who?", "--large", "medium-model"], "stands at two tiers"),
        (["Who?", "--large", " "], "= ' '"),
        (["Who?", "--file", "no-such-file"], "was given beside a query"),
        (["--file", "no-such-file"], "no-such-file"),
        (["--file", "."], "cannot be read"),
        (["Who?", "--config", "no-such-file.toml"], "no-such-file.toml"),
        (["Who?", "--log", "no/such/folder/log.jsonl"], "decision_log.path"),
        ([""], "blank"),
        (["Who?", " "], "blank"),
        ([], "standard input: holds no query"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_error_leaves_as_one_sentence_with_exit_code_two(
    route: Run, arguments: list[str], said: str
) -> None:
    result = route(*arguments)

    assert said in refused(result)
    assert result.out == ""


@pytest.mark.parametrize("name", ["no-such-router", "./no-such-folder", "", "a" * 5000])
def test_a_router_that_is_not_there_is_named(run: Run, name: str) -> None:
    assert refused(run("route", "Who?", "--checkpoint", name))


def test_a_config_with_a_slip_names_file_key_and_fix(route: Run, tmp_path: Path) -> None:
    config = tmp_path / "routesdk.toml"
    config.write_text("[router]\nlarge_sahre = 0.5\n")

    sentence = refused(route("Who?", "--config", config))

    assert f"{config}: router.large_sahre = 0.5: no such key. Did you mean 'large_share'?" in sentence


def test_what_was_decided_before_a_bad_line_is_kept(route: Run) -> None:
    lines = [f"Question {number}?" for number in range(CHUNK)]

    result = route("--json", stdin="\n".join([*lines, "{", "Never?"]).encode())

    assert len(result.rows) == CHUNK
    assert f"line {CHUNK + 1}" in refused(result)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rout"], "'rout'"),
        (["route", "--no-such-option"], "--no-such-option"),
        (["route", "Who?", "--large-share", "lots"], "--large-share"),
    ],
)
def test_a_wrong_command_or_option_leaves_with_exit_code_two(
    run: Run, arguments: list[str], said: str
) -> None:
    result = run(*arguments)

    assert (result.code, result.out) == (2, "")
    assert "Traceback" not in result.err
    assert said in result.err


# The rest of the commands.


def test_the_version_is_shown(run: Run) -> None:
    assert run("--version") == Result(0, f"routesdk {routesdk.__version__}\n", "")


def test_every_command_has_help() -> None:
    runner = CliRunner()

    for arguments in ([], ["route"], ["plugins"], ["plugins", "list"]):
        shown = runner.invoke(app, [*arguments, "--help"])
        assert shown.exit_code == 0
        assert "Usage: " in shown.output


def test_plugins_are_listed_with_what_is_wrong_with_them(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_distribution(tmp_path, "acme-broken", "acme_broken", "import no_such_module_anywhere")
    raising = "@hookimpl\ndef routesdk_rules():\n    raise RuntimeError('on strike')\n"
    write_distribution(
        tmp_path, "acme-raising", "acme_raising", f"from routesdk import hookimpl\n\n{raising}"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    table, records = run("plugins", "list"), run("plugins", "list", "--json")

    assert (table.code, records.code) == (0, 0)
    assert table.err == records.err == ""
    found = {str(row["name"]): row for row in records.rows}
    assert "No module named 'no_such_module_anywhere'" in str(found["acme-broken"]["errors"])
    assert "on strike" in str(found["acme-raising"]["errors"])
    assert found["acme-broken"]["components"] == []
    assert found["tag"]["errors"] == []
    assert {"kind": "rule", "name": "tag"}.items() <= found["tag"]["components"][0].items()  # type: ignore[index]
    assert "on strike" in table.out
    assert "policy model fake" in table.out


def test_a_broken_plugin_does_not_stop_a_decision(
    route: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_distribution(tmp_path, "acme-broken", "acme_broken", "import no_such_module_anywhere")
    monkeypatch.syspath_prepend(str(tmp_path))

    assert route("Who?", "--json").rows[0]["tier"] == "medium"


def test_a_blocked_plugin_is_listed_as_blocked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTESDK_BLOCKED_PLUGINS", "keyword, math")

    found = {str(row["name"]): row for row in run("plugins", "list", "--json").rows}

    assert found["keyword"]["blocked"] is found["math"]["blocked"] is True
    assert found["tag"]["blocked"] is False


def test_two_plugins_of_one_name_are_a_conflict_that_names_both(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_distribution(tmp_path, "acme-twin", "acme_twin", PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))

    found = {str(row["name"]): row for row in run("plugins", "list", "--json").rows}

    said = ["policy model 'fake' is offered by FakePlugin and acme-twin"]
    assert found["acme-twin"]["conflicts"] == found["FakePlugin"]["conflicts"] == said


# In processes of their own.


@pytest.fixture
def environment(installed: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(installed), "COLUMNS": "160", "PYTHONWARNINGS": "ignore"}


COMMAND = [sys.executable, "-c", "from routesdk.cli import main; main()"]


def test_a_real_process_routes_what_it_is_given_byte_for_byte(
    router_folder: Path, environment: dict[str, str]
) -> None:
    odd = b"Who is \xff \xf0\x9f\x99\x82?"

    done = subprocess.run(
        [*COMMAND, "route", odd, "--checkpoint", str(router_folder)],
        env=environment | {"PYTHONUTF8": "1"},
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert "Ambiguous_Query" in done.stdout.decode()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_of_any_encoding_is_served(
    router_folder: Path, environment: dict[str, str], encoding: str
) -> None:
    done = subprocess.run(
        [*COMMAND, "route", "--checkpoint", str(router_folder)],
        input="月球离地球有多远？\nWie weit ist der Mond entfernt, größer als 1 %?\n".encode(),
        env=environment | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "2 queries" in done.stdout.decode(encoding)


def test_an_error_of_a_real_process_has_no_traceback(
    router_folder: Path, environment: dict[str, str]
) -> None:
    done = subprocess.run(
        [*COMMAND, "route", "", "--checkpoint", str(router_folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: Not a query: its text is blank")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("form", [["--json"], []], ids=["json", "table"])
def test_a_reader_that_leaves_early_ends_the_command_quietly(
    router_folder: Path, environment: dict[str, str], tmp_path: Path, form: list[str]
) -> None:
    file = tmp_path / "queries.txt"
    file.write_text("\n".join(f"Question {number}?" for number in range(20 * CHUNK)))
    process = subprocess.Popen(
        [*COMMAND, "route", "--file", str(file), "--checkpoint", str(router_folder), *form],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None

    first = process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read().decode()
    process.stderr.close()

    assert process.wait(timeout=60) == 1
    assert first
    assert said == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize(
    "arguments", [["Who?", "--json"], ["Who?"], ["Who?", "When?"]], ids=["json", "one", "many"]
)
def test_a_full_disk_leaves_as_one_sentence_with_exit_code_one(
    router_folder: Path, environment: dict[str, str], arguments: list[str]
) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "route", *arguments, "--checkpoint", str(router_folder)],
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.returncode == 1
    assert done.stderr == "error: [Errno 28] No space left on device\n"
