"""The parts of `encoder` that need no torch: what is read, what is refused, how weights are parted."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np
import pytest

from routesdk import PluginHost
from routesdk.errors import ConfigError, MissingExtraError, PredictionError, TrainingError
from routesdk.heads.fitting import logits_of
from routesdk.heads.rows import Rows, TierRows
from routesdk.heads.solver import Design
from routesdk.heads.task import list_tasks
from routesdk.testing import MODELS, make_examples, make_host, odd_queries, script_queries, write_dataset
from routesdk.types import Message, Query, TrainJob

pytest.importorskip("tokenizers", reason="tokenizers is not installed")

from tokenizers import Tokenizer, models, pre_tokenizers, processors

from routesdk.plugins.encoder import EncoderTrainerConfig
from routesdk.plugins.encoder.graph import refuse_other_files
from routesdk.plugins.encoder.material import PENALTIES, Material
from routesdk.plugins.encoder.onnx_engine import OnnxEngine
from routesdk.plugins.encoder.pooling import (
    Pooling,
    UnsuitableError,
    check_modules,
    read_pooling,
    token_limit,
)
from routesdk.plugins.encoder.reader import Reader
from routesdk.plugins.encoder.side import Side, Standard
from routesdk.plugins.encoder.source import fetch_source, find_source, open_source, open_torch
from routesdk.plugins.encoder.stored import EncoderTable


@pytest.fixture(scope="module")
def host() -> PluginHost:
    return make_host()


def word_reader(max_tokens: int, prompt: str = "") -> Reader:
    """A reader whose tokens are words, between two marks."""
    tokens = Tokenizer(models.WordLevel({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2}, unk_token="[UNK]"))
    tokens.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokens.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return Reader(tokens, max_tokens, prompt)


# What is read.


@pytest.mark.parametrize(("words", "cut"), [(6, False), (7, True)])
def test_the_limit_is_that_of_the_tokenizer_its_marks_included(words: int, cut: bool) -> None:
    text = " ".join(f"w{at}" for at in range(words))

    found, was_cut = word_reader(8).read(Query(text))

    assert was_cut is cut
    assert (found == text) is not cut


def test_a_prompt_takes_its_tokens_from_the_text() -> None:
    assert not word_reader(8).read(Query("a b c d e f"))[1]
    assert word_reader(8, "query: ").read(Query("a b c d e f"))[1]


def test_of_a_long_question_beginning_and_end_are_read() -> None:
    text = " ".join(f"w{at}" for at in range(100))

    found, cut = word_reader(12).read(Query(text))

    assert cut
    assert found.split() == ["w0", "w1", "w2", "w3", "w4", "w5", "w6", "w98", "w99"]


def test_of_a_long_conversation_the_oldest_turns_go_and_the_question_stays() -> None:
    query = Query.of(
        [Message("user", "old " * 20), Message("assistant", "new"), Message("user", "When was that?")]
    )

    found, cut = word_reader(10).read(query)

    assert cut
    assert found.split() == ["old"] * 4 + ["new", "When", "was", "that?"]


def test_in_a_conversation_with_too_long_a_question_its_middle_goes() -> None:
    query = Query.of([Message("user", "old"), Message("user", " ".join(f"w{at}" for at in range(30)))])

    found, cut = word_reader(10).read(query)

    assert cut
    assert found.split() == ["w0", "w1", "w2", "w3", "w4", "w5", "w29"]


@pytest.mark.parametrize(
    "query", [*script_queries(), *odd_queries()], ids=lambda query: ascii(query.text[:12])
)
def test_any_query_fits_once_it_is_read(query: Query) -> None:
    reader = word_reader(32)

    text, _ = reader.read(query)

    assert len(reader.tokenizer.encode(text).ids) <= 32
    text.encode("utf-8")


# Folders.


def lay_out(folder: Path, kinds: tuple[str, ...], pooling: dict[str, object], **settings: object) -> Path:
    modules = [
        {"idx": at, "name": str(at), "path": "" if at == 0 else f"{at}_{kind}", "type": kind}
        for at, kind in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "sentence_bert_config.json").write_text(json.dumps(settings))
    if len(kinds) > 1:
        (folder / f"1_{kinds[1]}").mkdir()
        (folder / f"1_{kinds[1]}" / "config.json").write_text(json.dumps(pooling))
    return folder


OLD, NEW = "sentence_transformers.models.", "sentence_transformers.sentence_transformer.modules.pooling."


@pytest.mark.parametrize(
    ("config", "mode"),
    [
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, "mean"),
        ({"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}, "cls"),
        ({"pooling_mode": "mean", "embedding_dimension": 4}, "mean"),
    ],
)
def test_both_forms_of_pooling_are_read(tmp_path: Path, config: dict[str, object], mode: str) -> None:
    kinds = (f"{OLD}Transformer", f"{NEW}Pooling", f"{OLD}Normalize")

    found = read_pooling(lay_out(tmp_path, kinds, config, do_lower_case=True))

    assert (found.mode, found.normalize, found.lower) == (mode, True, True)


@pytest.mark.parametrize(
    ("kinds", "config", "said"),
    [
        (("Transformer", "Pooling", "Dense"), {"pooling_mode": "mean"}, "Dense"),
        (("StaticEmbedding",), {}, "StaticEmbedding"),
        (("Transformer", "Pooling"), {"pooling_mode_max_tokens": True}, "max_tokens"),
        (
            ("Transformer", "Pooling"),
            {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True},
            "cls",
        ),
    ],
)
def test_what_numpy_cannot_pool_is_refused(
    tmp_path: Path, kinds: tuple[str, ...], config: dict[str, object], said: str
) -> None:
    folder = lay_out(tmp_path, tuple(f"{OLD}{kind}" for kind in kinds), config)

    with pytest.raises(UnsuitableError, match=said):
        read_pooling(folder)


@pytest.mark.parametrize(
    ("modules", "said"),
    [
        ([{"type": "os.system", "path": ""}], "os.system"),
        ([{"type": f"{OLD}Pooling", "path": "../elsewhere"}], "outside the folder"),
        ([{"type": f"{OLD}Pooling", "path": "/etc"}], "outside the folder"),
        ({"type": "x"}, "no list"),
    ],
)
def test_a_folder_with_code_or_places_of_others_is_refused(
    tmp_path: Path, modules: object, said: str
) -> None:
    (tmp_path / "modules.json").write_text(json.dumps(modules))

    with pytest.raises(UnsuitableError, match=said):
        check_modules(tmp_path)


def test_the_smallest_limit_of_tokens_counts_and_one_without_sense_does_not(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"model_max_length": int(1e30)}))
    assert token_limit(tmp_path) is None

    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 512}))
    (tmp_path / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 256}))
    assert token_limit(tmp_path) == 256


# Graphs.


def field(number: int, value: bytes | int) -> bytes:
    """A field of a protocol buffer: a number, or bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(found) + bytes([value])


PLACE = field(1, b"location") + field(2, b"/etc/passwd")
INSIDE = field(8, b"weights") + field(9, b"\0" * 300)
OUTSIDE = field(8, b"weights") + field(13, PLACE) + field(14, 1)


@pytest.mark.parametrize(
    "lay",
    [
        lambda tensor: field(7, field(5, tensor)),
        lambda tensor: field(7, field(15, field(1, tensor))),
        lambda tensor: field(7, field(1, field(5, field(5, tensor)))),
        lambda tensor: field(7, field(1, field(5, field(6, field(5, tensor))))),
        lambda tensor: field(25, field(7, field(5, field(10, tensor)))),
    ],
    ids=["initializer", "sparse", "constant", "subgraph", "function"],
)
def test_a_graph_with_arrays_in_other_files_is_refused(lay: Callable[[bytes], bytes]) -> None:
    start = field(1, 8) + field(2, b"a maker") + b"\x251234" + b"\x21" + b"12345678"

    refuse_other_files(start + lay(INSIDE))
    for outside in (OUTSIDE, field(13, PLACE), field(14, 1)):
        with pytest.raises(UnsuitableError, match="arrays in other files"):
            refuse_other_files(start + lay(INSIDE) + lay(outside))


@pytest.mark.parametrize(
    "graph",
    [
        field(7, field(5, INSIDE))[:-1],
        b"\x08",
        b"\x3b",
        b"\x00\x01",
        field(7, 1),
        b"\x08" + b"\xff" * 11,
        # Field 7 and bits beyond 32, which some readers drop.
        varint(7 << 3 | 2 | 1 << 34) + b"\0",
        b"\x0a\x08\0\0ORTM\0\0",
    ],
)
def test_a_graph_that_readers_may_take_for_another_is_refused(graph: bytes) -> None:
    with pytest.raises(UnsuitableError, match="graph"):
        refuse_other_files(graph)


def test_no_session_is_made_of_a_graph_with_arrays_in_other_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routesdk.plugins.encoder.onnx_engine._session", lambda graph: pytest.fail("made"))

    with pytest.raises(UnsuitableError, match="arrays in other files"):
        OnnxEngine(field(7, field(5, OUTSIDE)), b"{}", Pooling(mode="mean", normalize=True), 8)


# What a checkpoint names.


@pytest.mark.parametrize(
    ("hub_id", "commit"),
    [
        ("../encoder", "0" * 40),
        ("/tmp/encoder", "0" * 40),
        ("a/b/c", "0" * 40),
        ("maker/encoder", "main"),
        ("maker/encoder", ""),
        ("", "0" * 40),
    ],
)
def test_a_checkpoint_names_a_hub_id_and_a_commit(hub_id: str, commit: str) -> None:
    with pytest.raises(ValueError, match=r"hub_id|commit"):
        EncoderTable(engine="torch", max_tokens=8, penalty=1.0, hub_id=hub_id, commit=commit)


def test_what_a_checkpoint_names_is_never_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "maker" / "encoder").mkdir(parents=True)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda name, **_: str(tmp_path / "cache"))

    assert find_source("maker/encoder", None).hub_id == ""
    assert fetch_source("maker/encoder", "0" * 40).folder == tmp_path / "cache"


# Fitting.


def test_vectors_that_are_not_finite_are_refused() -> None:
    with pytest.raises(TrainingError, match="not finite"):
        Standard.of(np.array([[1.0, np.nan]], dtype=np.float32))


def make_side(rows: int = 400, width: int = 6, seed: int = 0) -> Side:
    """Rows whose first number of the vector says whether the large model alone is right."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(rows, width)).astype(np.float32)
    labels = np.zeros((rows, 2, 3))
    for model in range(2):
        right = rng.random(rows) < 1 / (1 + np.exp(-(2 * model - 1) * 2 * vectors[:, 0]))
        labels[:, model, 0], labels[:, model, 1] = right, ~right
    words = Design(
        starts=np.arange(rows),
        columns=rng.integers(0, 50, rows),
        values=np.ones(rows, dtype=np.float32),
        dense=np.zeros((rows, 1), dtype=np.float32),
        width=50,
    )
    queries = [Query(f"question {at}") for at in range(rows)]
    taught = Rows(
        queries, [query.text for query in queries], MODELS, labels, TierRows(np.arange(rows), labels)
    )
    return Side(taught, words, vectors)


def test_parted_weights_give_the_logits_of_the_whole() -> None:
    side = make_side()
    raw = side.vectors * 3.0 + 5.0
    standard = Standard.of(raw)
    side = Side(side.rows, side.words, standard.apply(raw))
    material = Material(taught=side, held=None, folds=np.arange(400) % 4)
    tasks = list_tasks(side.rows, "encoder")

    weights = material.fit(tasks, 300.0)
    plain, own = standard.parted(weights, 51)

    kept = [at for at, each in enumerate(weights) if each is not None]
    whole = logits_of(side.design(), tasks, weights)[:, kept]
    parted = logits_of(side.words, tasks, plain)[:, kept] + raw @ own.T
    np.testing.assert_allclose(parted, whole, atol=1e-3)
    assert np.abs(whole).max() > 0.5


@pytest.mark.parametrize("held", [False, True])
def test_a_vector_that_tells_gains_gets_a_smaller_penalty_than_one_that_tells_nothing(held: bool) -> None:
    def noise(side: Side, seed: int) -> Side:
        vectors = np.random.default_rng(seed).normal(size=(len(side.words), 200)).astype(np.float32)
        return Side(side.rows, side.words, vectors)

    telling, other = make_side(1200, seed=1), make_side(1200, seed=2)
    pairs = ((telling, other), (noise(telling, 3), noise(other, 4)))
    folds = np.arange(1200) % 4

    picked = [
        Material(taught=taught, held=unseen if held else None, folds=folds).pick_penalty(
            list_tasks(taught.rows, "encoder")
        )
        for taught, unseen in pairs
    ]

    assert picked[0] == PENALTIES[0]
    # Between the two largest, rows so few cannot tell.
    assert picked[1] >= PENALTIES[-2]


def test_some_rows_keep_what_they_teach_about_the_tiers() -> None:
    rows = make_side().rows
    twice = TierRows(np.array([3, 7, 3]), rows.labels[[3, 7, 3]])
    rows = Rows(rows.queries, rows.texts, rows.models, rows.labels, twice)

    taken = rows.take(np.array([2, 3, 4]))

    assert taken.texts == ["question 2", "question 3", "question 4"]
    assert taken.tiers.rows.tolist() == [1, 1]
    np.testing.assert_array_equal(taken.tiers.labels, rows.labels[[3, 3]])


# Parts.


@pytest.mark.parametrize(
    "options",
    [
        {"tune": "all"},
        {"penalty": 0.0},
        {"onnx": "yes"},
        {"max_tokens": 2},
        {"encoder": ""},
        {"device": "x"},
        {"tune": "lora", "embed_encoder": False},
    ],
)
def test_settings_out_of_range_are_refused(host: PluginHost, options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        host.trainer("encoder", **options)


def test_an_untrained_one_says_what_to_do(host: PluginHost) -> None:
    with pytest.raises(PredictionError, match="load"):
        host.policy_model("encoder").predict([Query("Why?")])


def test_without_its_extra_the_error_says_how_to_install_it(
    host: PluginHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("routesdk.plugins.encoder.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tokenizers", None)

    with pytest.raises(MissingExtraError) as caught:
        host.policy_model("encoder")

    assert caught.value.install == 'pip install "routesdk[encoder]"'
    monkeypatch.undo()
    importlib.import_module("routesdk.plugins.encoder.model")


def test_without_torch_an_encoder_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "routesdk.plugins.encoder.torch_engine", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)

    with pytest.raises(MissingExtraError) as caught:
        open_torch(tmp_path, "cpu", None)

    assert caught.value.install == 'pip install "routesdk[encoder]"'


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"encoder": "./nowhere", "device": "cpu"}, "there is no folder ./nowhere"),
        ({"embed_encoder": False}, "only a Hub id"),
        ({"onnx": "on", "device": "cpu"}, r"there is no onnx/model\.onnx|onnxruntime is not installed"),
        ({"onnx": "on", "tune": "lora"}, "tuning changes the weights"),
        (
            {"onnx": "on", "device": "cpu", "onnx_file": "../model.onnx"},
            r"there is no \.\./model\.onnx|onnxruntime is not installed",
        ),
    ],
)
def test_an_encoder_that_cannot_be_had_is_named(
    host: PluginHost, tmp_path: Path, options: dict[str, object], said: str
) -> None:
    rows = write_dataset(tmp_path / "rows.jsonl", make_examples(60))
    (tmp_path / "encoder").mkdir()
    (tmp_path / "out").mkdir()
    trainer = host.trainer("encoder", **{"encoder": str(tmp_path / "encoder"), **options})

    with pytest.raises(TrainingError, match=said):
        trainer.train(TrainJob(train=(rows,), output=tmp_path / "out"))

    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("name", ["linear", "encoder"])
def test_the_reference_names_every_option_of_the_trainers(
    host: PluginHost, repository: Path, name: str
) -> None:
    page = (repository / "docs" / "reference" / "policy-models.md").read_text(encoding="utf-8")
    text = page.partition(f"## `{name}`")[2].partition("\n## ")[0]
    config = host.find("trainer", name).component.config

    assert config is not None
    for field in attrs.fields(config):
        assert f"`{field.name}`" in text, f"option {field.name} of {name}"


@pytest.mark.parametrize(
    ("options", "graphs"),
    [({}, ["onnx/model.onnx"]), ({"onnx_file": "onnx/q.onnx"}, ["onnx/q.onnx"]), ({"onnx": "off"}, [])],
)
def test_of_the_hub_only_the_graph_that_may_run_is_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: dict[str, str], graphs: list[str]
) -> None:
    asked: list[str] = []

    def download(name: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked.extend(pattern for pattern in allow_patterns if pattern.endswith("onnx"))
        raise OSError("offline")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    # Neither is imported here, whatever is installed.
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if name == "onnxruntime" else None)

    with pytest.raises(TrainingError, match="offline"):
        open_source(EncoderTrainerConfig(encoder="maker/encoder", **options))  # type: ignore[arg-type]

    assert asked == graphs
