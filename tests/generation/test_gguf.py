"""A GGUF file is read as the reference implementation reads it, and a broken one is refused in words."""

from __future__ import annotations

import struct
from pathlib import Path

import gguf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.errors import ModelError
from bot.generation.gguf import BLOCKS, check_gguf, check_start, estimate_memory_bytes
from tests.generation.gguf_files import TOKENS, write_gguf


def _key_of(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        check_gguf(path)
    assert str(caught.value)
    return caught.value.key


def test_the_default_model_is_read_as_the_reference_reads_it(default_model: Path) -> None:
    fields = gguf.GGUFReader(default_model).fields
    info = check_gguf(default_model)
    assert info.architecture == fields["general.architecture"].contents() == "llama"
    assert info.name == fields["general.name"].contents()
    assert info.context_length == fields["llama.context_length"].contents() == 8192
    assert info.block_count == fields["llama.block_count"].contents()
    assert info.vocabulary_size == len(fields["tokenizer.ggml.tokens"].contents())
    assert info.has_chat_template
    assert info.size_bytes == default_model.stat().st_size


def test_the_kv_cache_of_the_default_model_is_layers_times_heads_times_length(default_model: Path) -> None:
    """SmolLM2-135M has 30 layers with 3 heads of 64 for keys and as many for values, in 16 bits."""
    info = check_gguf(default_model)
    assert info.cache_bytes_per_token == 30 * 3 * (64 + 64) * 2
    assert info.key_length == 64


def test_a_file_that_lacks_its_last_byte_is_cut(tmp_path: Path) -> None:
    whole = write_gguf(tmp_path / "tiny.gguf").read_bytes()
    (tmp_path / "cut.gguf").write_bytes(whole[:-1])
    assert check_gguf(tmp_path / "tiny.gguf").vocabulary_size == len(TOKENS)
    assert _key_of(tmp_path / "cut.gguf") == "models.gguf_cut"


def test_heads_that_differ_by_layer_are_added_up(tmp_path: Path) -> None:
    info = check_gguf(write_gguf(tmp_path / "tiny.gguf", kv_heads=[4, 1]))
    assert info.cache_bytes_per_token == (4 + 1) * (16 + 16) * 2


def test_explicit_head_lengths_are_preferred(tmp_path: Path) -> None:
    info = check_gguf(write_gguf(tmp_path / "tiny.gguf", kv_heads=1, value_length=40))
    assert info.cache_bytes_per_token == 2 * 1 * (40 + 40) * 2
    assert info.key_length == 40


def test_memory_grows_with_context_and_slots(tmp_path: Path) -> None:
    info = check_gguf(write_gguf(tmp_path / "tiny.gguf"))
    one, four = estimate_memory_bytes(info, 512, 1), estimate_memory_bytes(info, 512, 4)
    assert four - one == 3 * 512 * info.cache_bytes_per_token
    assert one > info.size_bytes


def test_a_missing_template_is_seen(tmp_path: Path) -> None:
    assert not check_gguf(write_gguf(tmp_path / "tiny.gguf", has_template=False)).has_chat_template


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b"", "models.not_gguf"),
        (b"<!DOCTYPE html><html>", "models.not_gguf"),
        (b"GGUF", "models.gguf_version"),
        (b"GGUF" + struct.pack(">I", 3) + bytes(16), "models.gguf_version"),
        (b"GGUF" + struct.pack("<I", 1) + bytes(16), "models.gguf_version"),
        (b"GGUF" + struct.pack("<I", 3) + bytes(4), "models.gguf_damaged"),
        (b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 1 << 60), "models.gguf_damaged"),
        (b"GGUF" + struct.pack("<IQQ", 3, 5, 5), "models.gguf_header_cut"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 0), "models.gguf_damaged"),
    ],
)
def test_what_is_no_gguf_is_refused(tmp_path: Path, content: bytes, key: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    assert _key_of(path) == key


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert _key_of(tmp_path / "none.gguf") == "models.file_missing"
    assert _key_of(tmp_path) == "models.unreadable"


def test_a_tensor_of_an_unknown_type_is_no_damage(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "tiny.gguf")
    content = path.read_bytes()
    place = content.index(b"blk.0.attn_q.weight") + len(b"blk.0.attn_q.weight") + 4 + 2 * 8
    path.write_bytes(content[:place] + struct.pack("<I", 999) + content[place + 4 :])
    assert check_gguf(path).block_count == 2


def test_every_tensor_type_of_the_reference_is_known() -> None:
    assert {int(kind): sizes for kind, sizes in gguf.GGML_QUANT_SIZES.items()} == dict(BLOCKS)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_file_cut_anywhere_is_refused_in_words(tmp_path: Path, data: st.DataObject) -> None:
    whole = _tiny(tmp_path)
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    assert _key_of(cut).startswith("models.")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_anywhere_in_the_header_never_surprises(tmp_path: Path, data: st.DataObject) -> None:
    """Some bytes may change without harm (a name's letters); all else ends in a ModelError."""
    damaged = bytearray(_tiny(tmp_path))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, 1400))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.gguf"
    path.write_bytes(damaged)
    try:
        info = check_gguf(path)
    except ModelError as error:
        assert str(error)
    else:
        assert info.size_bytes == len(damaged)


def _tiny(folder: Path) -> bytes:
    path = folder / "tiny.gguf"
    return path.read_bytes() if path.exists() else write_gguf(path).read_bytes()


def test_the_quick_check_compares_the_size(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "tiny.gguf")
    size = path.stat().st_size
    check_start(path, size)
    for expected, key in ((size + 1, "models.gguf_cut"), (size - 1, "models.wrong_size")):
        with pytest.raises(ModelError) as caught:
            check_start(path, expected)
        assert caught.value.key == key
