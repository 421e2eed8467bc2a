"""Configuration: what is read from where, what wins, what is refused and how that is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config import (
    SIZE_UNITS,
    Settings,
    defaults,
    home_folder,
    known_keys,
    load,
    parse_size,
)
from bot.errors import ConfigurationError
from bot.texts import Texts
from storage.location import file_of

ROOT = Path(__file__).resolve().parent.parent


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


# -- where values come from ---------------------------------------------------------------------------------


def test_nothing_configured_gives_the_defaults() -> None:
    configuration = load(environment={"PARLEY_HOME": "/data"})
    assert configuration.settings == Settings()
    assert configuration.file is None
    assert configuration.origins == {}


def test_the_file_in_the_working_directory_is_read(tmp_path: Path) -> None:
    write(tmp_path / "parley.toml", 'language = "zh"\n[model]\nname = "qwen3-4b"\n')
    configuration = load(environment={})
    assert configuration.settings.model.name == "qwen3-4b"
    assert configuration.origins == {"language": "parley.toml", "model.name": "parley.toml"}


def test_the_file_in_the_data_folder_is_read_where_the_working_directory_has_none(home: Path) -> None:
    file = write(home / "parley.toml", "[sampling]\ntemperature = 0\n")
    configuration = load(environment={"PARLEY_HOME": str(home)})
    assert configuration.file == file
    assert configuration.settings.sampling.temperature == 0


def test_the_file_in_the_working_directory_hides_that_of_the_data_folder(tmp_path: Path, home: Path) -> None:
    write(home / "parley.toml", "[sampling]\ntemperature = 0\n")
    write(tmp_path / "parley.toml", "")
    assert load(environment={"PARLEY_HOME": str(home)}).settings == Settings()


def test_a_named_file_hides_every_other(tmp_path: Path) -> None:
    write(tmp_path / "parley.toml", 'language = "zh"')
    by_argument = write(tmp_path / "a.toml", "[chat]\nmax_pending = 1")
    by_variable = write(tmp_path / "b.toml", "[chat]\nmax_pending = 2")
    environment = {"PARLEY_CONFIG": str(by_variable)}
    assert load(environment=environment).settings.chat.max_pending == 2
    assert load(by_argument, environment=environment).settings.chat.max_pending == 1
    assert load(by_argument, environment=environment).settings.language == ""


def test_a_variable_wins_over_the_file(tmp_path: Path) -> None:
    write(tmp_path / "parley.toml", '[model]\nname = "from-file"\nthreads = 3\n')
    configuration = load(environment={"PARLEY_MODEL__NAME": "from-variable"})
    assert configuration.settings.model.name == "from-variable"
    assert configuration.settings.model.threads == 3
    assert configuration.origins["model.name"] == "PARLEY_MODEL__NAME"


def test_dotenv_gives_variables_that_the_environment_lacks(tmp_path: Path) -> None:
    write(tmp_path / ".env", "PARLEY_LANGUAGE=zh\nPARLEY_MODEL__NAME=from-dotenv\n")
    settings = load(environment={"PARLEY_MODEL__NAME": "from-environment"}).settings
    assert settings.language == "zh"
    assert settings.model.name == "from-environment"


def test_customary_variables_are_read_and_give_way_to_ours() -> None:
    customary = {"OPENAI_API_KEY": "theirs", "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
    configuration = load(environment=customary)
    assert configuration.settings.model.api_key.get_secret_value() == "theirs"
    assert configuration.origins["model.base_url"] == "OPENAI_BASE_URL"
    ours = load(environment={**customary, "PARLEY_MODEL__API_KEY": "ours"})
    assert ours.settings.model.api_key.get_secret_value() == "ours"


def test_channel_tokens_come_from_their_customary_variables() -> None:
    channels = load(environment={"TELEGRAM_BOT_TOKEN": "1:a", "DISCORD_BOT_TOKEN": "b"}).settings.channels
    assert channels == {"telegram": {"token": "1:a"}, "discord": {"token": "b"}}


def test_a_channel_takes_any_key_by_variable() -> None:
    environment = {"PARLEY_CHANNELS__TELEGRAM__BASE_URL": "http://127.0.0.1:1"}
    assert load(environment=environment).settings.channels == {"telegram": {"base_url": "http://127.0.0.1:1"}}


@pytest.mark.parametrize("name", ["PARLEY_MODEL__API_KEY_FILE", "OPENAI_API_KEY_FILE"])
def test_a_secret_is_read_from_the_file_that_a_variable_names(tmp_path: Path, name: str) -> None:
    file = write(tmp_path / "secret", "hush\n")
    assert load(environment={name: str(file)}).settings.model.api_key.get_secret_value() == "hush"


@pytest.mark.parametrize("name", ["PARLEY_MODEL__API_KEY", "OPENAI_API_KEY", "TELEGRAM_BOT_TOKEN"])
def test_an_empty_file_variable_counts_as_unset(name: str) -> None:
    assert load(environment={f"{name}_FILE": ""}) == load(environment={})
    assert load(environment={f"{name}_FILE": "", name: "hush"}) == load(environment={name: "hush"})


def test_a_list_in_a_variable_is_written_as_in_toml() -> None:
    settings = load(environment={"PARLEY_SAMPLING__STOP": '["a", "b"]', "PARLEY_MODEL__THREADS": "2"}).settings
    assert settings.sampling.stop == ("a", "b")
    assert settings.model.threads == 2


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "parley.toml").write_bytes(b"\xef\xbb\xbflanguage = 'zh'")
    assert load(environment={}).settings.language == "zh"


def test_the_data_folder_is_where_parley_home_says(tmp_path: Path) -> None:
    configuration = load(environment={"PARLEY_HOME": str(tmp_path / "my data")})
    assert configuration.home == tmp_path / "my data"
    assert configuration.models_folder == tmp_path / "my data" / "models"
    assert configuration.database_url == f"sqlite:///{tmp_path.as_posix()}/my data/parley.db"


@pytest.mark.parametrize("name", ["what?", "no#1", "100%", "a%20b", "a&b=c;d", "ein+zwei", "数据"])
def test_any_sign_may_stand_in_the_name_of_the_data_folder(tmp_path: Path, name: str) -> None:
    configuration = load(environment={"PARLEY_HOME": str(tmp_path / name)})
    assert file_of(configuration.database_url) == tmp_path / name / "parley.db"


def test_a_relative_data_folder_becomes_absolute(tmp_path: Path) -> None:
    assert home_folder({"PARLEY_HOME": "data"}) == tmp_path / "data"


def test_without_parley_home_the_systems_data_folder_is_used() -> None:
    assert home_folder({}).name == "parley"
    assert home_folder({}).is_absolute()


def test_a_configured_database_wins() -> None:
    url = "postgresql://parley@db/parley"
    assert load(environment={"PARLEY_STORAGE__URL": url}).database_url == url


def test_defaults_hold_also_where_the_file_is_broken(tmp_path: Path, home: Path) -> None:
    write(tmp_path / "parley.toml", "broken =")
    configuration = defaults({"PARLEY_HOME": str(home)})
    assert configuration.settings == Settings()
    assert configuration.home == home


# -- what is refused ----------------------------------------------------------------------------------------


def refusal(environment: dict[str, str], file: Path | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(file, environment=environment)
    for language in ("en", "zh"):
        assert caught.value.told(Texts(language))
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "named", "hint"),
    [
        ('[model]\nnme = "x"', "model.nme", "model.name"),
        ("[sampling]\ntemprature = 1", "sampling.temprature", "sampling.temperature"),
        ('[modle]\nname = "x"', "modle", "model"),
        ("temperature = 1", "temperature", "sampling.temperature"),
    ],
)
def test_a_misspelt_key_is_named_with_its_file_and_the_nearest_right_one(
    tmp_path: Path, text: str, named: str, hint: str
) -> None:
    write(tmp_path / "parley.toml", text)
    told = refusal({})
    assert "parley.toml" in told
    assert f"`{named}`" in told
    assert hint in told


def test_a_misspelt_variable_is_named_with_the_nearest_right_one() -> None:
    told = refusal({"PARLEY_MODEL__NMAE": "x"})
    assert "PARLEY_MODEL__NMAE" in told
    assert "PARLEY_MODEL__NAME" in told


@pytest.mark.parametrize(
    "text",
    [
        "[sampling]\ntemperature = -1",
        '[sampling]\ntop_p = "high"',
        "[model]\ncontext_length = 10",
        '[model]\ndtype = "int4"',
        '[model]\nmemory_limit = "much"',
        'timezone = "Mars/Olympus"',
        '[log]\nlevel = "LOUD"',
        'model = "qwen3-4b"',
        "[chat]\nmax_pending = 0",
        '[chat]\nquiet_hours = "at night"',
        '[chat]\nquiet_hours = "7:00-7:00"',
    ],
)
def test_a_wrong_value_is_named_with_its_key_and_file(tmp_path: Path, text: str) -> None:
    write(tmp_path / "parley.toml", text)
    told = refusal({})
    key = re.findall(r"\w+(?= =)", text)[-1]
    assert key in told
    assert "parley.toml" in told


def test_a_wrong_value_in_a_variable_is_named_with_the_variable() -> None:
    assert "PARLEY_MODEL__SLOTS" in refusal({"PARLEY_MODEL__SLOTS": "many"})


WRONG_VALUES = """language = "de"
timezone = "Mars/Olympus"

[model]
threads = "two"          # words
context_length = 10
memory_limit = "much"
show_reasoning = "maybe"
dtype = "int4"
nmae = "x"

[sampling]
stop = [1, 2]
top_p = 0
temperature = "hot"

[plugins]
skills = "chat"
"""


def lines_told(tmp_path: Path, text: str, language: str) -> list[str]:
    """What a person reads, line by line."""
    write(tmp_path / "parley.toml", text)
    with pytest.raises(ConfigurationError) as caught:
        load(environment={})
    return caught.value.told(Texts(language)).splitlines()


def test_everything_that_is_wrong_is_told_at_once_in_plain_words(tmp_path: Path) -> None:
    heading, *lines = lines_told(tmp_path, WRONG_VALUES, "en")
    assert heading == "12 things are wrong in the configuration:"
    assert lines == [
        '- parley.toml, line 1: `language` must be one of "", "en", "zh", not "de".',
        '- parley.toml, line 2: `timezone` must be the name of a time zone, such as Europe/Berlin, not "Mars/Olympus".',
        "- parley.toml, line 6: `model.context_length` must be at least 256, not 10.",
        '- parley.toml, line 5: `model.threads` must be a whole number, not "two".',
        '- parley.toml, line 9: `model.dtype` must be one of "auto", "bfloat16", "float16", "float32", not "int4".',
        '- parley.toml, line 7: `model.memory_limit` must be a size, such as 8GB or 512MiB, not "much".',
        '- parley.toml, line 8: `model.show_reasoning` must be true or false, not "maybe".',
        "- parley.toml, line 10: there is no key `model.nmae`. The nearest is: model.name. Correct or remove it.",
        '- parley.toml, line 15: `sampling.temperature` must be a number, not "hot".',
        "- parley.toml, line 14: `sampling.top_p` must be more than 0, not 0.",
        '- parley.toml, line 13: `sampling.stop` must be a list of texts, such as ["a", "b"], not 1.',
        '- parley.toml, line 18: `plugins.skills` must be a list of texts, such as ["a", "b"], not "chat".',
    ]


def test_what_is_wrong_is_told_in_chinese_without_a_word_of_english(tmp_path: Path) -> None:
    heading, *lines = lines_told(tmp_path, WRONG_VALUES, "zh")
    assert "12" in heading
    assert '- parley.toml 第 5 行：`model.threads` 必须是整数，而不是 "two"。' in lines
    assert not [line for line in lines if "Input" in line or "should" in line or "valid" in line]


def test_a_single_wrong_value_is_one_sentence(tmp_path: Path) -> None:
    assert lines_told(tmp_path, "[chat]\nmax_pending = 1.5", "en") == [
        "parley.toml, line 2: `chat.max_pending` must be a whole number, not 1.5."
    ]


def test_a_line_that_is_not_certain_is_not_told(tmp_path: Path) -> None:
    for text in ('model = { threads = "two" }', '[model]\nname = """\nthreads = 1\n"""\nthreads = "two"\n'):
        (line,) = lines_told(tmp_path, text, "en")
        assert line == 'parley.toml: `model.threads` must be a whole number, not "two".'


def test_a_value_too_long_to_read_is_cut(tmp_path: Path) -> None:
    (line,) = lines_told(tmp_path, f'[model]\nthreads = "{"9x" * 500}"', "en")
    assert len(line) < 130
    assert line.endswith('…".')


@pytest.mark.parametrize(
    "text",
    [
        "[model]\napi_key = 4711",
        'model = "hush-4711"',
        '[model]\noptions = "hush-4711"',
        'channels = "hush-4711"',
        '[channels]\ntelegram = "hush-4711"',
        "[storage]\nurl = 4711",
        '[model]\napi_key = ["hush-4711"]',
    ],
)
def test_a_wrong_value_where_a_secret_may_stand_is_not_shown(tmp_path: Path, text: str) -> None:
    write(tmp_path / "parley.toml", text)
    told = refusal({})
    assert "must be a" in told
    assert "4711" not in told


def test_all_misspelt_variables_are_told_together() -> None:
    told = refusal({"PARLEY_MODEL__THREDS": "2", "PARLEY_LOGLEVEL": "INFO", "PARLEY_MODEL__NAM_FILE": "x"})
    assert told.splitlines()[0] == "3 things are wrong in the configuration:"
    for name, nearest in (
        ("PARLEY_MODEL__THREDS", "PARLEY_MODEL__THREADS"),
        ("PARLEY_LOGLEVEL", "PARLEY_LOG__LEVEL"),
        ("PARLEY_MODEL__NAM_FILE", "PARLEY_MODEL__NAME"),
    ):
        assert f"- The environment variable {name} is not one of Parley's. The nearest is: {nearest}." in told


def test_wrong_values_of_variables_are_told_together() -> None:
    told = refusal({"PARLEY_MODEL__SLOTS": "many", "PARLEY_MODEL__THREADS": "0"})
    assert 'PARLEY_MODEL__SLOTS: `model.slots` must be a whole number, not "many".' in told
    assert 'PARLEY_MODEL__THREADS: `model.threads` must be at least 1, not "0".' in told


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('owners = ["telegram/-100123"]', '`access.owners` must be a person on a channel, such as "telegram:12345"'),
        ('blocked = ["ann"]', "`access.blocked` must be a person"),
        ('modes = { "telegram:-100123" = "open" }', "`access.modes.telegram:-100123` must be a channel"),
        ('mode = "open"\n[channels."my:bot"]', "`channels.my:bot` must be a name without spaces, colons and slashes"),
        ('modes = { telegram = "opne" }', 'must be one of "pairing", "open", "allow", not "opne"'),
    ],
)
def test_a_person_or_chat_of_the_wrong_form_is_told(tmp_path: Path, line: str, told: str) -> None:
    write(tmp_path / "parley.toml", f"[access]\n{line}\n")
    assert told in refusal({})


def test_modes_of_channels_and_chats_can_be_a_variable() -> None:
    settings = load(environment={"PARLEY_ACCESS__MODES": '{telegram = "allow", "telegram/-1" = "open"}'}).settings
    assert settings.access.modes == {"telegram": "allow", "telegram/-1": "open"}


def test_broken_toml_is_told_with_its_line(tmp_path: Path) -> None:
    write(tmp_path / "parley.toml", '[model]\nname = "x\n')
    assert "line 2" in refusal({})


def test_a_file_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    (tmp_path / "parley.toml").write_bytes("language = 'é'".encode("latin-1"))
    assert "UTF-8" in refusal({})


def test_a_dotenv_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("PARLEY_LANGUAGE='é'".encode("latin-1"))
    assert ".env" in refusal({})


def test_a_named_file_that_is_missing_is_told(tmp_path: Path) -> None:
    assert "nowhere.toml" in refusal({}, tmp_path / "nowhere.toml")


def test_a_secret_file_that_is_missing_is_told(tmp_path: Path) -> None:
    told = refusal({"PARLEY_MODEL__API_KEY_FILE": str(tmp_path / "nowhere")})
    assert "PARLEY_MODEL__API_KEY_FILE" in told


@pytest.mark.parametrize("section", ["model", "channels"])
def test_no_refusal_and_no_rendering_shows_a_secret(tmp_path: Path, section: str) -> None:
    write(tmp_path / "parley.toml", f'[{section}]\napi_key = "hush-hush"\nnonsense = 1\n[sampling]\ntop_k = 0\n')
    assert "hush-hush" not in refusal({})
    configuration = load(write(tmp_path / "good.toml", '[model]\napi_key = "hush-hush"'), environment={})
    assert "hush-hush" not in repr(configuration)


# -- sizes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"), [("", None), ("8GB", 8 * 10**9), ("512 MiB", 512 * 2**20), ("1.5gib", 3 * 2**29), ("100", 100)]
)
def test_a_size_is_read_with_its_unit(text: str, size: int | None) -> None:
    assert parse_size(text) == size


@given(st.integers(0, 10**6), st.sampled_from(sorted(SIZE_UNITS)))
def test_every_unit_multiplies(number: int, unit: str) -> None:
    assert parse_size(f"{number}{unit}") == number * SIZE_UNITS[unit]


@pytest.mark.parametrize("text", ["GB", "-1GB", "8 GX", "1,5GB", "8GB 1"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        parse_size(text)


# -- documentation ------------------------------------------------------------------------------------------


def documented() -> dict[str, str]:
    """Key to default, from the tables of docs/configuration.md."""
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows: list[tuple[str, str]] = re.findall(r"^\| `([a-z_.]+)` \| (.*?) \|", text, re.MULTILINE)
    return dict(rows)


def test_every_key_is_documented_and_no_other() -> None:
    assert set(documented()) == set(known_keys())


@pytest.mark.parametrize(("key", "told"), sorted(documented().items()))
def test_documented_defaults_hold(key: str, told: str) -> None:
    default = known_keys()[key].model_fields[key.rsplit(".", 1)[-1]].default
    match = re.fullmatch(r"`(.*)`", told)
    if match is None:
        assert default is None, "words stand where there is no default"
        return
    assert match[1].strip('"') == _as_written(default)


def _as_written(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return str(list(default)).replace("'", '"')
    return str(default)


def test_the_example_file_is_valid_as_it_stands_and_with_every_comment_taken_off(tmp_path: Path) -> None:
    example = (ROOT / "parley.example.toml").read_text(encoding="utf-8")
    load(write(tmp_path / "as-it-stands.toml", example), environment={})
    uncommented = re.sub(r"^# (?=\[?[a-z_.]+(\]| =))", "", example, flags=re.MULTILINE)
    settings = load(write(tmp_path / "uncommented.toml", uncommented), environment={}).settings
    assert settings.model.context_length is not None


def test_the_example_file_has_every_key() -> None:
    example = (ROOT / "parley.example.toml").read_text(encoding="utf-8")
    section, found = "", set()
    for line in example.splitlines():
        if header := re.match(r"(?:# )?\[([a-z_.]+)\]", line):
            section = f"{header[1]}."
        elif key := re.match(r"(?:# )?([a-z_]+) =", line):
            found.add(f"{section}{key[1]}")
    assert found >= set(known_keys()) - {"channels", "model.options", "model.echo_delay_seconds"}
