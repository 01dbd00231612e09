"""Checkpoints: what is written comes back, what is damaged is refused, a broken write harms nothing."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import attrs
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from routers import FAKE, PLUGIN, POINT, TIERS, FakePlugin, host_with_fake, make_router, write_distribution
from routesdk import (
    Component,
    OperatingPoint,
    PluginHost,
    Proposal,
    RouteContext,
    Router,
    checkpoint,
    hookimpl,
)
from routesdk._lock import sole_writer
from routesdk.card import render_card
from routesdk.checkpoint import CARD, HASHES, MANIFEST, Checkpoint, read_checkpoint, write_checkpoint
from routesdk.config import MappingConfig, RuleConfig
from routesdk.errors import CheckpointError, ConfigError, MissingPluginError, PluginLoadError
from routesdk.manifest import (
    SCHEMA_VERSION,
    Calibration,
    Evidence,
    Manifest,
    MetricRecord,
    PartRecord,
    SourceRecord,
)
from routesdk.pretrained import assemble_router, find_checkpoint
from routesdk.testing import MODELS, FakePolicyModel, make_catalogue, make_host
from routesdk.types import Policy, Tier

MEDIUM, LARGE = MODELS
POLICIES = (Policy("Down", "Stay.", "medium"), Policy("Up", "Climb.", "large"))


@pytest.fixture(autouse=True, scope="module")
def quick_disk() -> Iterator[None]:
    """Let nobody wait for the disk: what these tests read again, they read from memory."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda number: None)
        yield


def a_manifest() -> Manifest:
    return Manifest(
        policy_model=FAKE,
        matrix=PartRecord(kind="matrix", name="nine-cell"),
        policies=POLICIES,
        tiers=(Tier("medium", MEDIUM), Tier("large", LARGE)),
        mapping=MappingConfig(),
        operating_point=OperatingPoint((0.25,), 0.5, "checkpoint"),
    )


def save_weights(folder: Path) -> None:
    weights = {"w": np.arange(6, dtype=np.float32).reshape(2, 3)}
    (folder / "weights.safetensors").write_bytes(safetensors.numpy.save(weights))
    (folder / "sub").mkdir()
    (folder / "sub" / "words.json").write_text('["a", "b"]')


def write(folder: Path, manifest: Manifest | None = None, hashes: object = (3, 1, 2)) -> Checkpoint:
    return write_checkpoint(folder, manifest or a_manifest(), save_weights, render_card, hashes)  # type: ignore[arg-type]


def forge(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Change a manifest and make its checksum fit, as someone with intent would."""
    file = folder / MANIFEST
    data = json.loads(file.read_text())
    change(data)
    data["checksum"] = ""
    data["checksum"] = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
    file.write_text(json.dumps(data))


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# What is written.


def test_a_checkpoint_has_a_manifest_a_card_and_one_folder_of_the_policy_model(tmp_path: Path) -> None:
    checkpoint = write(tmp_path / "router")

    name = checkpoint.manifest.model_folder
    assert sorted(tree(tmp_path / "router")) == sorted(
        [MANIFEST, CARD, f"{name}/{HASHES}", f"{name}/weights.safetensors", f"{name}/sub/words.json"]
    )
    assert checkpoint.model_folder == tmp_path / "router" / name


def test_what_was_written_is_read_back_equal(tmp_path: Path) -> None:
    written = write(tmp_path / "router")

    assert read_checkpoint(tmp_path / "router") == written
    assert read_checkpoint(str(tmp_path / "router")).manifest == written.manifest


def test_the_manifest_names_every_file_with_size_and_digest(tmp_path: Path) -> None:
    checkpoint = write(tmp_path / "router")

    for path, record in checkpoint.manifest.files.items():
        content = (checkpoint.folder / path).read_bytes()
        assert (record.bytes, record.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert len(checkpoint.manifest.files) == 3


def test_training_hashes_come_back_sorted_and_each_once(tmp_path: Path) -> None:
    hashes = [5, 2**64 - 1, 0, 5, 7]

    checkpoint = write(tmp_path / "router", hashes=hashes)

    found = read_checkpoint(checkpoint.folder).training_hashes()
    assert found.dtype == np.uint64
    assert found.tolist() == [0, 5, 7, 2**64 - 1]
    assert write(tmp_path / "none", hashes=()).training_hashes().tolist() == []


def test_the_id_is_stable_and_follows_the_content(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a"), write(tmp_path / "b")
    other = write(tmp_path / "c", attrs.evolve(a_manifest(), operating_point=OperatingPoint((0.3,))))

    assert first.manifest.id == second.manifest.id != other.manifest.id
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    assert len(first.manifest.id) == 12


def test_files_are_readable_to_whom_other_files_are_whatever_their_writer_does(tmp_path: Path) -> None:
    def save(folder: Path) -> None:
        safetensors.numpy.save_file({"w": np.zeros(3)}, folder / "weights.safetensors")
        (folder / "private.json").write_text("{}")
        (folder / "private.json").chmod(0o600)

    folder = write_checkpoint(tmp_path / "router", a_manifest(), save, render_card).folder

    (tmp_path / "usual").write_text("")
    usual = (tmp_path / "usual").stat().st_mode
    assert {path.stat().st_mode for path in folder.rglob("*") if path.is_file()} == {usual}


def test_no_file_is_a_pickle_or_tells_of_this_machine(tmp_path: Path) -> None:
    folder = make_router({"IC": 0.5, "CC": 0.5}).with_budget(5).save_pretrained(tmp_path / "router")

    for path, content in tree(folder).items():
        assert path.endswith((".json", ".safetensors", ".md"))
        assert not content.startswith(b"\x80")
        assert str(tmp_path).encode() not in content
        assert os.environ.get("HOME", "/root").encode() not in content


@pytest.mark.parametrize(
    "name",
    ["model.pkl", "model.bin", "weights.pt", "code.py", "sub/x.joblib", "A.PTH", "a.dat", "run", "lib.dylib"],
)
def test_a_policy_model_that_writes_pickles_or_code_is_refused(tmp_path: Path, name: str) -> None:
    def save(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")

    with pytest.raises(CheckpointError) as caught:
        write_checkpoint(tmp_path / "router", a_manifest(), save, render_card)

    assert caught.value.path == name
    assert list((tmp_path / "router").iterdir()) == []


def test_a_pickle_that_is_named_like_weights_is_refused(tmp_path: Path) -> None:
    def save(folder: Path) -> None:
        (folder / "weights.safetensors").write_bytes(pickle.dumps({"w": 1}))

    with pytest.raises(CheckpointError) as caught:
        write_checkpoint(tmp_path / "router", a_manifest(), save, render_card)

    assert caught.value.path == "weights.safetensors"
    assert "no safetensors file" in caught.value.problem


@pytest.mark.parametrize("name", ["words.txt", "chat.jinja", "pieces.model", "NOTICE.md"])
def test_a_policy_model_may_write_vocabularies_and_text(tmp_path: Path, name: str) -> None:
    written = write_checkpoint(
        tmp_path / "router", a_manifest(), lambda folder: add_text(folder / name), render_card
    )

    assert (read_checkpoint(written.folder).model_folder / name).read_text() == "a"


def add_text(file: Path) -> None:
    file.write_text("a")


def test_a_policy_model_that_writes_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        write_checkpoint(tmp_path / "router", a_manifest(), lambda folder: None, render_card)

    assert caught.value.problem == "the policy model wrote no file"


# Round trips.

_names = st.text(st.characters(exclude_categories=[]), min_size=1, max_size=8).filter(
    lambda name: name.strip()
)
_numbers = st.floats(-1, 1)
_shares = st.none() | st.floats(0, 1)
_plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
_options = st.dictionaries(st.text(max_size=5), _plain, max_size=3)
_parts = st.builds(
    PartRecord,
    kind=st.sampled_from(["rule", "matrix"]),
    name=_names,
    options=_options,
    version=st.text(max_size=4),
)
_mappings = st.builds(
    MappingConfig,
    policies=st.dictionaries(_names, _names, max_size=3),
    rules=st.lists(
        st.builds(RuleConfig, name=_names, options=_options, on_error=st.sampled_from(["raise", "skip"])),
        max_size=3,
    ).map(tuple),
    models=st.lists(_names, max_size=3).map(tuple),
)
_evidence = st.builds(
    Evidence,
    summary=st.text(max_size=20),
    command=st.text(max_size=8),
    sources=st.lists(st.builds(SourceRecord, name=_names, rows=st.integers(0, 10**9)), max_size=2).map(tuple),
    metrics=st.lists(
        st.builds(
            MetricRecord,
            dataset=_names,
            method=_names,
            metric=_names,
            value=_numbers,
            low=_shares,
            high=_shares,
        ),
        max_size=2,
    ).map(tuple),
    limits=st.lists(st.text(max_size=10), max_size=2).map(tuple),
)
_tiers = st.integers(2, 8).flatmap(
    lambda count: st.tuples(
        st.lists(_names, min_size=count, max_size=count, unique=True),
        st.lists(_names, min_size=count, max_size=count, unique=True),
    ).map(lambda pair: tuple(Tier(name, model) for name, model in zip(*pair, strict=True)))
)
_points = st.builds(
    OperatingPoint,
    st.lists(st.floats(allow_nan=False), min_size=1, max_size=7).map(tuple),
    _shares,
    st.sampled_from(["caller", "checkpoint", "calibration"]),
)
_calibrations = st.builds(
    Calibration,
    policy_gains=st.dictionaries(_names, st.lists(_numbers, max_size=3).map(tuple), max_size=3),
    gain_quantiles=st.lists(st.lists(_numbers, max_size=4).map(tuple), max_size=2).map(tuple),
)
_manifests = st.builds(
    Manifest,
    policy_model=_parts,
    matrix=_parts,
    policies=st.lists(st.builds(Policy, _names, st.text(max_size=10), _names), max_size=3).map(tuple),
    tiers=_tiers,
    bound=st.just(()) | _tiers,
    mapping=_mappings,
    operating_point=_points,
    calibration=_calibrations,
    requires=st.lists(_parts, max_size=2).map(tuple),
    evidence=_evidence,
)


@settings(max_examples=25, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(_manifests, st.lists(st.integers(0, 2**64 - 1), max_size=5))
def test_any_manifest_comes_back_as_it_was(manifest: Manifest, hashes: list[int]) -> None:
    with tempfile.TemporaryDirectory() as name:
        written = write(Path(name) / "router", manifest, hashes)
        found = read_checkpoint(Path(name) / "router")
        again = write(Path(name) / "again", found.manifest, found.training_hashes())

        assert found.manifest == written.manifest
        kept = attrs.evolve(manifest, model_folder="", files={}, checksum="")
        assert attrs.evolve(found.manifest, model_folder="", files={}, checksum="") == kept
        assert again.manifest.id == written.manifest.id
        assert found.training_hashes().tolist() == sorted(set(hashes))


@pytest.mark.parametrize("thresholds", [(float("inf"),), (float("-inf"),), (1e300,), (-0.0,)])
def test_thresholds_of_any_size_are_written_as_strict_json(
    tmp_path: Path, thresholds: tuple[float, ...]
) -> None:
    def refuse(name: str) -> object:
        raise AssertionError(name)

    folder = make_router({"IC": 1.0}, point=OperatingPoint(thresholds)).save_pretrained(tmp_path / "router")

    json.loads((folder / MANIFEST).read_text(), parse_constant=refuse)
    loaded = Router.from_pretrained(folder, host=host_with_fake())
    assert loaded.operating_point.thresholds == thresholds
    assert loaded.route("Who?").tier == ("large" if thresholds[0] <= 0 else "medium")


@pytest.mark.parametrize("odd", [float("inf"), float("nan")])
def test_a_number_that_json_has_no_word_for_is_refused_before_anything_is_written(
    tmp_path: Path, odd: float
) -> None:
    manifest = attrs.evolve(a_manifest(), calibration=Calibration(policy_gains={"Up": (odd,)}))

    with pytest.raises(CheckpointError) as caught:
        write(tmp_path / "router", manifest)

    assert "JSON has no word for" in caught.value.problem
    assert list((tmp_path / "router").iterdir()) == []


_HOST = host_with_fake()


@settings(max_examples=20, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    st.sampled_from(["medium", "large", "Ambiguous_Query"]),
    _names,
    st.lists(st.sampled_from(["tag", "length", "cost-budget"]), max_size=3),
    st.floats(-1, 1),
)
def test_any_router_decides_after_a_round_trip_as_before(
    where: str, model: str, rules: list[str], threshold: float
) -> None:
    options: Mapping[str, Mapping[str, object]] = {
        "tag": {"tag": "law", "model": LARGE},
        "length": {"min_words": 3, "model": MEDIUM},
        "cost-budget": {"budget_usd": 0},
    }
    priced = make_catalogue((*MODELS, model))
    cells = {"CC": 0.25, "IC": 0.25, "II": 0.5}
    router = make_router(cells, point=OperatingPoint((threshold,)), host=_HOST, catalogue=priced)
    if model not in MODELS:
        router = router.with_model(where, model)
    for rule in rules:
        router = router.with_rule(rule, **options[rule])  # type: ignore[arg-type]

    with tempfile.TemporaryDirectory() as name:
        folder = router.save_pretrained(Path(name) / "router")
        loaded = Router.from_pretrained(folder, host=_HOST, catalogue=priced)
        again = loaded.save_pretrained(Path(name) / "again")

        assert tree(folder) == tree(again)
    for text in ("Who?", "Who was it, then?"):
        found = loaded.route(text)
        assert found.checkpoint_id == loaded.checkpoint_id != ""
        point = attrs.evolve(found.operating_point, source="caller")
        assert attrs.evolve(found, checkpoint_id="", operating_point=point) == router.route(text)


# What is refused.


def truncate_weights(folder: Path) -> str:
    (file,) = folder.glob("model-*/weights.safetensors")
    file.write_bytes(file.read_bytes()[:-1])
    return "bytes where"


def flip_a_bit(folder: Path) -> str:
    (file,) = folder.glob("model-*/weights.safetensors")
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    return "SHA-256 differs"


def remove_weights(folder: Path) -> str:
    (file,) = folder.glob("model-*/weights.safetensors")
    file.unlink()
    return "cannot be read"


def remove_hashes(folder: Path) -> str:
    (file,) = folder.glob(f"model-*/{HASHES}")
    file.unlink()
    return "cannot be read"


def remove_the_model_folder(folder: Path) -> str:
    (found,) = folder.glob("model-*")
    shutil.rmtree(found)
    return "cannot be read"


def remove_the_manifest(folder: Path) -> str:
    (folder / MANIFEST).unlink()
    return "cannot be read"


def cut_the_manifest(folder: Path) -> str:
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(text[: len(text) // 2])
    return "was cut off"


def empty_the_manifest(folder: Path) -> str:
    (folder / MANIFEST).write_text("")
    return "was cut off"


def nest_the_manifest(folder: Path) -> str:
    (folder / MANIFEST).write_text("[" * 200_000)
    return "was cut off"


def write_bytes_over_the_manifest(folder: Path) -> str:
    (folder / MANIFEST).write_bytes(b"\xff\xfe\x00\x80")
    return "is no JSON"


def make_the_manifest_a_folder(folder: Path) -> str:
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).mkdir()
    return "cannot be read"


def edit_the_manifest(folder: Path) -> str:
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(text.replace(LARGE, "my-model"))
    return "its checksum differs"


def put_a_foreign_manifest(folder: Path) -> str:
    (folder / MANIFEST).write_text('{"routes": ["/home"]}')
    return "not the manifest of a routesdk checkpoint"


def put_a_list(folder: Path) -> str:
    (folder / MANIFEST).write_text("[1, 2]")
    return "not the manifest of a routesdk checkpoint"


def ask_for_a_newer_routesdk(folder: Path) -> str:
    forge(folder, lambda data: data.update(schema_version=SCHEMA_VERSION + 1, news=True))
    return f"has schema version {SCHEMA_VERSION + 1}"


def give_an_odd_version(folder: Path) -> str:
    forge(folder, lambda data: data.update(schema_version=True))
    return "not the manifest"


def give_version_zero(folder: Path) -> str:
    forge(folder, lambda data: data.update(schema_version=0))
    return "not the manifest"


def add_a_key(folder: Path) -> str:
    forge(folder, lambda data: data.update(news=True))
    return "no such key"


def drop_a_key(folder: Path) -> str:
    forge(folder, lambda data: data.pop("tiers"))
    return "is required"


def give_a_wrong_type(folder: Path) -> str:
    forge(folder, lambda data: data.update(tiers="medium"))
    return "tiers"


def point_at_a_neighbour(folder: Path) -> str:
    (folder.parent / "secret.json").write_text("{}")
    record = {"bytes": 2, "sha256": hashlib.sha256(b"{}").hexdigest()}
    forge(folder, lambda data: data["files"].update({"../secret.json": record}))  # type: ignore[attr-defined]
    return "lies outside the checkpoint"


def climb_out_of_the_model_folder(folder: Path) -> str:
    (folder.parent / "secret.json").write_text("{}")
    (model,) = folder.glob("model-*")
    record = {"bytes": 2, "sha256": hashlib.sha256(b"{}").hexdigest()}
    path = f"{model.name}/../../secret.json"
    forge(folder, lambda data: data["files"].update({path: record}))  # type: ignore[attr-defined]
    return "lies outside the checkpoint"


def name_a_file_beside_the_model_folder(folder: Path) -> str:
    (folder / "beside").mkdir()
    (folder / "beside" / "more.json").write_text("{}")
    record = {"bytes": 2, "sha256": hashlib.sha256(b"{}").hexdigest()}
    forge(folder, lambda data: data["files"].update({"beside/more.json": record}))  # type: ignore[attr-defined]
    return "lies outside the checkpoint"


def point_at_an_absolute_path(folder: Path) -> str:
    secret = folder.parent / "secret.json"
    secret.write_text("{}")
    record = {"bytes": 2, "sha256": hashlib.sha256(b"{}").hexdigest()}
    forge(folder, lambda data: data["files"].update({str(secret): record}))  # type: ignore[attr-defined]
    return "lies outside the checkpoint"


def take_weights_from_elsewhere(folder: Path) -> str:
    (model,) = folder.glob("model-*")
    shutil.copytree(model, folder.parent / "elsewhere")
    forge(folder, lambda data: data.update(model_folder="../elsewhere"))
    return "no model folder"


def vouch_for_nothing(folder: Path) -> str:
    forge(folder, lambda data: data.update(files={}))
    return "does not vouch"


def leave_a_file_that_nobody_vouches_for(folder: Path) -> str:
    (model,) = folder.glob("model-*")
    (model / "sub" / "more.json").write_text("{}")
    return "not among the checkpoint's files"


def leave_a_link_to_a_folder(folder: Path) -> str:
    (model,) = folder.glob("model-*")
    (model / "more").symlink_to(folder.parent, target_is_directory=True)
    return "not among the checkpoint's files"


def vouch_for_a_pickle(folder: Path) -> str:
    (model,) = folder.glob("model-*")
    (model / "more.pkl").write_bytes(b"x")
    record = {"bytes": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    forge(folder, lambda data: data["files"].update({f"{model.name}/more.pkl": record}))  # type: ignore[attr-defined]
    return "may hold code"


def write_infinity(folder: Path) -> str:
    forge(folder, lambda data: data["operating_point"].update(thresholds=[float("inf")]))  # type: ignore[attr-defined]
    return "holds Infinity"


def give_a_threshold_in_words(folder: Path) -> str:
    forge(folder, lambda data: data["operating_point"].update(thresholds=["much"]))  # type: ignore[attr-defined]
    return "thresholds"


def give_no_thresholds(folder: Path) -> str:
    forge(folder, lambda data: data["operating_point"].update(thresholds=None))  # type: ignore[attr-defined]
    return "thresholds"


DAMAGES = [
    write_infinity, give_a_threshold_in_words, give_no_thresholds,
    leave_a_file_that_nobody_vouches_for, leave_a_link_to_a_folder, vouch_for_a_pickle,
    truncate_weights, flip_a_bit, remove_weights, remove_hashes, remove_the_model_folder, remove_the_manifest,
    cut_the_manifest, empty_the_manifest, nest_the_manifest, write_bytes_over_the_manifest,
    make_the_manifest_a_folder, edit_the_manifest, put_a_foreign_manifest, put_a_list,
    ask_for_a_newer_routesdk, give_an_odd_version, give_version_zero, add_a_key, drop_a_key,
    give_a_wrong_type, point_at_a_neighbour, climb_out_of_the_model_folder, point_at_an_absolute_path,
    name_a_file_beside_the_model_folder,
    take_weights_from_elsewhere, vouch_for_nothing,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_checkpoint_that_was_tampered_with_is_refused_with_file_and_reason(
    tmp_path: Path, damage: Callable[[Path], str]
) -> None:
    folder = write(tmp_path / "router").folder
    reason = damage(folder)

    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(folder)

    assert reason in caught.value.problem
    assert str(tmp_path) in caught.value.path
    assert caught.value.fix


def test_a_newer_schema_says_how_to_upgrade(tmp_path: Path) -> None:
    folder = write(tmp_path / "router").folder
    ask_for_a_newer_routesdk(folder)

    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(folder)

    assert caught.value.fix == "Upgrade: pip install -U routesdk"


def test_files_may_be_links_as_in_the_hub_s_cache(tmp_path: Path) -> None:
    written = write(tmp_path / "router")
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    for path in written.manifest.files:
        file = written.folder / path
        blob = blobs / hashlib.sha256(path.encode()).hexdigest()
        file.rename(blob)
        file.symlink_to(blob)

    assert read_checkpoint(written.folder) == written


@pytest.mark.parametrize(
    "name", ["", "no-such-router", "/no/such/folder", "./no-such-folder", "~/router", "a/b/c"]
)
def test_a_name_that_leads_nowhere_is_refused_offline(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError) as caught:
        find_checkpoint(name)

    assert caught.value.path == name
    assert "Hub id" in caught.value.fix


@pytest.mark.parametrize("name", [None, 5, b"default"])
def test_a_name_of_another_type_is_refused(name: object) -> None:
    with pytest.raises(CheckpointError) as caught:
        find_checkpoint(name)  # type: ignore[arg-type]

    assert caught.value.path == str(name)


@pytest.mark.parametrize("name", ["a" * 5000, "a/" * 3000, "a\0b", Path("a" * 5000)])
def test_a_name_that_no_path_may_have_is_refused_like_any_other(name: str | Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        find_checkpoint(name)

    assert len(caught.value.path) <= 200


def test_a_folder_has_no_revision(tmp_path: Path) -> None:
    folder = write(tmp_path / "router").folder

    with pytest.raises(CheckpointError) as caught:
        find_checkpoint(folder, revision="v2")

    assert "'v2'" in caught.value.problem


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "router"
    file.write_text("{}")

    with pytest.raises(CheckpointError):
        find_checkpoint(file)
    with pytest.raises(CheckpointError) as caught:
        write(file)
    assert (caught.value.problem, caught.value.fix) == ("is a file", "Name a folder.")


# Writes that break off.


def breaking(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, nth: int) -> None:
    """Have the nth call of a function raise, as a full disk does."""
    real = getattr(owner, name)
    calls = [0]

    def call(*arguments: object, **options: object) -> object:
        calls[0] += 1
        if calls[0] == nth:
            raise OSError(28, "No space left on device")
        return real(*arguments, **options)

    monkeypatch.setattr(owner, name, call)


STEPS = [
    (Path, "mkdir", 2),
    (Path, "rename", 1),
    (Path, "replace", 1),
    (Path, "replace", 2),
    (os, "fsync", 1),
    (os, "fsync", 2),
    (os, "fsync", 3),
    (os, "fsync", 4),
    (os, "fsync", 5),
    (os, "fsync", 6),
    (os, "fsync", 7),
    (os, "fsync", 8),
    (os, "fsync", 9),
    (safetensors.numpy, "save", 1),
    (tempfile, "mkdtemp", 1),
    (json, "dumps", 1),
    (json, "dumps", 2),
    (json, "dumps", 3),
    (hashlib, "file_digest", 1),
]


def step_name(step: tuple[object, str, int]) -> str:
    return f"{getattr(step[0], '__name__', '')}.{step[1]} {step[2]}"


OVERWRITES = [
    pytest.param(step, hashes, id=f"{step_name(step)}, {what}")
    for step in STEPS
    for hashes, what in (((3, 1, 2), "same weights"), ((4, 5), "other weights"))
    # The same weights are there already, and never moved.
    if (step[1], what) != ("rename", "same weights")
]


@pytest.mark.parametrize(("step", "hashes"), OVERWRITES)
def test_a_write_that_breaks_off_leaves_the_old_checkpoint_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: tuple[object, str, int], hashes: tuple[int, ...]
) -> None:
    old = write(tmp_path / "router")
    new = attrs.evolve(a_manifest(), operating_point=OperatingPoint((0.9,)))
    with monkeypatch.context() as patched:
        breaking(patched, *step)
        with pytest.raises(CheckpointError) as caught:
            write(old.folder, new, hashes)

    assert "No space left" in caught.value.problem
    found = read_checkpoint(old.folder)
    assert found == old
    assert found.training_hashes().tolist() == [1, 2, 3]
    assert not list(old.folder.glob(".writing-*"))
    assert write(old.folder, new, (4, 5)).training_hashes().tolist() == [4, 5]


def test_the_same_weights_are_never_moved_while_a_manifest_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = write(tmp_path / "router")
    new = attrs.evolve(a_manifest(), operating_point=OperatingPoint((0.9,)))
    for name in ("rename", "unlink", "rmdir"):
        breaking(monkeypatch, Path, name, 1)

    written = write(old.folder, new)

    assert written.manifest.model_folder == old.manifest.model_folder
    assert read_checkpoint(old.folder) == written


@pytest.mark.parametrize("step", STEPS, ids=step_name)
def test_a_first_write_that_breaks_off_can_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: tuple[object, str, int]
) -> None:
    with monkeypatch.context() as patched:
        breaking(patched, *step)
        with pytest.raises(CheckpointError):
            write(tmp_path / "router")

    with pytest.raises(CheckpointError):
        read_checkpoint(tmp_path / "router")
    assert read_checkpoint(write(tmp_path / "router").folder).training_hashes().tolist() == [1, 2, 3]


@pytest.mark.parametrize("error", [OSError("disk"), ValueError("weights"), KeyboardInterrupt()])
def test_a_policy_model_that_fails_to_save_leaves_the_old_checkpoint_whole(
    tmp_path: Path, error: BaseException
) -> None:
    old = write(tmp_path / "router")

    def fail(folder: Path) -> None:
        (folder / "half.json").write_text("[")
        raise error

    with pytest.raises((CheckpointError, ValueError, KeyboardInterrupt)):
        write_checkpoint(old.folder, a_manifest(), fail, render_card)

    assert read_checkpoint(old.folder) == old
    assert sorted(path.name for path in old.folder.iterdir()) == sorted(
        [MANIFEST, CARD, old.manifest.model_folder]
    )


def test_a_killed_write_leaves_scratch_that_stops_nobody(tmp_path: Path) -> None:
    scratch = tmp_path / "router" / ".writing-abc" / "model"
    scratch.mkdir(parents=True)
    (scratch / "weights.safetensors").write_bytes(b"half")

    assert read_checkpoint(write(tmp_path / "router").folder)


def test_an_old_folder_that_cannot_be_removed_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "router").folder
    with monkeypatch.context() as patched:
        patched.setattr(os, "rmdir", breaking_always)
        patched.setattr(os, "unlink", breaking_always)
        new = attrs.evolve(a_manifest(), operating_point=OperatingPoint((0.9,)))
        written = write_checkpoint_leaving_scratch(folder, new)

    assert read_checkpoint(folder).manifest == written.manifest
    assert len(list(folder.glob("model-*"))) == 2


def breaking_always(*_: object, **__: object) -> None:
    raise OSError(16, "busy")


def write_checkpoint_leaving_scratch(folder: Path, manifest: Manifest) -> Checkpoint:
    """Write with a scratch folder that needs no removal, so that only the stale folder does."""
    from routesdk.checkpoint import _write

    scratch = folder.parent / "scratch"
    scratch.mkdir()
    return _write(folder, scratch, manifest, save_weights, render_card, (9,))


# Writers and readers beside each other.


def test_writers_in_one_folder_take_turns_and_the_last_one_leaves_it_whole(tmp_path: Path) -> None:
    folder = write(tmp_path / "router", hashes=(99,)).folder
    failures: list[BaseException] = []

    def save(number: int) -> None:
        try:
            for turn in range(5):
                write(folder, hashes=(number, 100 * turn))
        except CheckpointError as error:
            failures.append(error)

    threads = [threading.Thread(target=save, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    found = read_checkpoint(folder)
    assert found.training_hashes().tolist()
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [MANIFEST, CARD, found.manifest.model_folder]
    )


def test_a_folder_that_another_writer_is_finishing_is_left_alone(tmp_path: Path) -> None:
    old = write(tmp_path / "router")
    other = old.folder / f"model-{'0' * 12}"
    other.mkdir()
    (other / "weights.json").write_text("[]")

    write(old.folder, hashes=(7,))

    assert (other / "weights.json").read_text() == "[]"
    assert not old.model_folder.exists()


def test_a_writer_that_never_finishes_is_an_error_for_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = write(tmp_path / "router")
    monkeypatch.setattr(checkpoint, "_WAIT_S", 0.05)

    with sole_writer(old.folder / checkpoint._LOCK, 0), pytest.raises(CheckpointError) as caught:
        write(old.folder, hashes=(7,))

    assert attrs.astuple(caught.value)[:2] == (str(old.folder), "is being written by another process")
    assert read_checkpoint(old.folder) == old
    assert read_checkpoint(write(old.folder, hashes=(7,)).folder) != old


def test_a_lock_that_a_dead_writer_left_stops_nobody(tmp_path: Path) -> None:
    folder = write(tmp_path / "router").folder
    (folder / checkpoint._LOCK).touch()

    assert read_checkpoint(write(folder, hashes=(7,)).folder)
    assert not (folder / checkpoint._LOCK).exists()


def replacing(monkeypatch: pytest.MonkeyPatch, folder: Path, times: int) -> list[Checkpoint]:
    """Have writers replace a checkpoint between reading its manifest and reading its files."""
    real = checkpoint._check_places
    written: list[Checkpoint] = []

    def check(target: Path, manifest: Manifest) -> None:
        if len(written) < times:
            written.append(write(folder, hashes=(1000 + len(written),)))
        real(target, manifest)

    monkeypatch.setattr(checkpoint, "_check_places", check)
    return written


@pytest.mark.parametrize("times", [1, 2])
def test_a_reader_beside_a_writer_reads_the_new_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    folder = write(tmp_path / "router").folder
    written = replacing(monkeypatch, folder, times)

    assert read_checkpoint(folder) == written[times - 1]


def test_a_reader_gives_up_on_a_checkpoint_that_never_holds_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "router").folder
    replacing(monkeypatch, folder, 99)

    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(folder)

    assert caught.value.problem == "was replaced each time that it was read"


def test_a_folder_that_cannot_be_synced_after_the_last_step_keeps_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = write(tmp_path / "router")
    with monkeypatch.context() as patched:
        breaking(patched, os, "fsync", 10)
        new = write(old.folder, hashes=(7,))

    assert read_checkpoint(old.folder) == new
    assert old.model_folder.is_dir()


# Where it is written.


def test_saving_again_removes_what_the_old_checkpoint_had_and_nothing_else(tmp_path: Path) -> None:
    folder = write(tmp_path / "router").folder
    (folder / "notes.txt").write_text("mine")
    (folder / "model-notes").mkdir()
    (folder / "model-notes" / "a.txt").write_text("mine too")

    new = write(folder, hashes=(7,))

    assert [path.name for path in folder.glob("model-*")].count(new.manifest.model_folder) == 1
    assert sorted(path.name for path in folder.glob("model-*")) == sorted(
        ["model-notes", new.manifest.model_folder]
    )
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "model-notes" / "a.txt").read_text() == "mine too"


@pytest.mark.parametrize(
    ("name", "text"),
    [("notes.txt", "mine"), (CARD, "# My project"), (MANIFEST, '{"routes": []}'), (MANIFEST, "not JSON")],
)
def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(CheckpointError) as caught:
        write(tmp_path)

    assert attrs.astuple(caught.value)[:2] == (str(tmp_path), "is not empty and holds no checkpoint")
    assert tree(tmp_path) == {name: text.encode()}


def test_a_damaged_checkpoint_may_be_written_again(tmp_path: Path) -> None:
    folder = write(tmp_path / "router").folder
    cut_the_manifest(folder)

    assert read_checkpoint(write(folder).folder)


def test_damaged_weights_are_replaced_by_a_save_of_the_same(tmp_path: Path) -> None:
    folder = write(tmp_path / "router").folder
    flip_a_bit(folder)

    assert read_checkpoint(write(folder).folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)

    with pytest.raises(CheckpointError) as caught:
        write(tmp_path / "router")

    assert "Check space and permissions" in caught.value.fix


def test_a_folder_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(CheckpointError) as caught:
        write(tmp_path / "file" / "router")

    assert caught.value.path == str(tmp_path / "file" / "router")
    assert "Check space and permissions" in caught.value.fix


def test_a_read_only_file_system_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)

    with pytest.raises(CheckpointError) as caught:
        write(tmp_path / "router")

    assert "Read-only file system" in caught.value.problem


# Routers as checkpoints.


class Pinned:
    """A rule that is passed in as an object."""

    def propose(self, context: RouteContext) -> Proposal | None:
        return None


def test_a_router_with_a_rule_object_cannot_be_saved_and_the_rule_is_named(tmp_path: Path) -> None:
    router = make_router().with_rule(Pinned())

    with pytest.raises(ConfigError) as caught:
        router.save_pretrained(tmp_path / "router")

    assert (caught.value.key, caught.value.value) == ("mapping.rules", "Pinned")
    assert not (tmp_path / "router").exists()


def test_a_swapped_model_comes_back_with_the_predictions_it_had(tmp_path: Path) -> None:
    router = make_router(known_models=MODELS).with_model("large", "gemini-2.5-pro")
    folder = router.save_pretrained(tmp_path / "router")

    loaded = Router.from_pretrained(folder, host=host_with_fake())

    assert loaded.tiers == router.tiers
    assert loaded.bound == router.bound
    assert loaded.route("Who?").notices == router.route("Who?").notices == ()
    assert "large `large-model`" in (folder / CARD).read_text()
    rebound = Router.from_pretrained(folder, large="other", host=host_with_fake())
    assert rebound.bound[1] == rebound.tiers[1] == Tier("large", "other")
    assert "other" in rebound.route("Who?").notices[0]


def test_a_checkpoint_binds_other_models_and_other_numbers_of_tiers(tmp_path: Path) -> None:
    router = make_router({"CC": 0.5, "IC": 0.5}, references=["a", "b"], point=0.5)
    folder = router.save_pretrained(tmp_path / "router")
    host = host_with_fake()

    pair = Router.from_pretrained(folder, medium="mini", large="maxi", host=host)
    share = Router.from_pretrained(folder, large_share=1.0, host=host)
    named = Router.from_pretrained(folder, matrix="cheapest-correct", host=host)

    assert [tier.model for tier in pair.tiers] == ["mini", "maxi"]
    assert len(pair.route("Who?").notices) == 2
    assert pair.operating_point.large_share == 0.5
    assert share.route("Who?").operating_point.large_share == 1.0
    assert named.route("Who?").policy == "Needs_large"


class Weighing(FakePolicyModel):
    """Gains less where it is bound to `maxi`, which is hardly better."""

    def bind(self, tiers: tuple[Tier, ...]) -> Weighing:
        gain = 0.125 if tiers[1].model == "maxi" else 0.5
        return attrs.evolve(self, tiers=tiers, cells={"IC": gain, "CC": 1 - gain})

    def load(self, folder: Path) -> Weighing:
        return Weighing(cells={"CC": 1.0}, reference_texts=("a", "b"))


class WeighingPlugin:
    @hookimpl
    def routesdk_policy_models(self) -> list[Component[Weighing]]:
        return [Component(name="fake", factory=lambda: Weighing(cells={"CC": 1.0}))]


@pytest.mark.parametrize(("large", "threshold"), [(LARGE, 0.5), ("mini", 0.5), ("maxi", 0.125)])
def test_other_models_keep_the_share_that_was_meant_and_get_thresholds_of_their_own(
    tmp_path: Path, large: str, threshold: float
) -> None:
    host = make_host(WeighingPlugin())
    trained = Weighing(cells={"CC": 1.0}, reference_texts=("a", "b"))
    folder = make_router(model=trained, point=0.5, host=host).save_pretrained(tmp_path / "router")

    router = Router.from_pretrained(folder, large=large, host=host)

    assert router.operating_point == OperatingPoint((threshold,), 0.5, "checkpoint")


@pytest.mark.parametrize(
    "wrong", [{"medium": ""}, {"large": MEDIUM}, {"large_share": 2.0}, {"large_share": True}]
)
def test_a_binding_that_cannot_be_is_refused(tmp_path: Path, wrong: Mapping[str, object]) -> None:
    folder = make_router(references=["a"]).save_pretrained(tmp_path / "router")

    with pytest.raises(ConfigError):
        Router.from_pretrained(folder, host=host_with_fake(), **wrong)  # type: ignore[arg-type]


def test_tiers_beside_medium_are_refused(tmp_path: Path) -> None:
    folder = make_router().save_pretrained(tmp_path / "router")

    with pytest.raises(ConfigError) as caught:
        Router.from_pretrained(folder, medium="m", tiers={"a": "x", "b": "y"}, host=host_with_fake())

    assert caught.value.key == "tiers"


def test_a_tier_that_the_checkpoint_lacks_is_refused(tmp_path: Path) -> None:
    tiers = (Tier("small", "s-m"), Tier("big", "b-m"))
    router = (
        make_router(
            {"CC": 1.0},
            tiers=tiers,
            model=None,
            point=OperatingPoint((0.1,)),
        )
        if False
        else None
    )
    assert router is None
    folder = make_router(
        {"CCC": 1.0}, tiers=(*tiers, Tier("huge", "h-m")), point=OperatingPoint((0.1, 0.1))
    ).save_pretrained(tmp_path / "router")

    with pytest.raises(ConfigError) as caught:
        Router.from_pretrained(folder, medium="m", host=host_with_fake())

    assert caught.value.key == "medium"
    assert "small, big, huge" in caught.value.problem


# What was saved, and what is asked for now.


def rename_a_policy(data: dict[str, object]) -> None:
    data["policies"][1]["name"] = "Hard_Query"  # type: ignore[index]


def move_a_policy(data: dict[str, object]) -> None:
    data["policies"][2]["tier"] = "large"  # type: ignore[index]


@pytest.mark.parametrize(
    ("change", "named"),
    [(rename_a_policy, ["Complex_Query", "Hard_Query"]), (move_a_policy, ["Ambiguous_Query"])],
)
def test_a_matrix_that_no_longer_defines_the_saved_policies_is_named_with_them(
    tmp_path: Path, change: Callable[[dict[str, object]], object], named: list[str]
) -> None:
    folder = make_router().save_pretrained(tmp_path / "router")
    forge(folder, change)

    with pytest.raises(CheckpointError) as caught:
        Router.from_pretrained(folder, host=host_with_fake())

    assert f"the matrix 'nine-cell' defines: {', '.join(named)} differ" in caught.value.problem
    assert Router.from_pretrained(folder, matrix="cheapest-correct", host=host_with_fake()).route("Who?")


def test_a_better_description_of_a_policy_is_no_other_policy(tmp_path: Path) -> None:
    folder = make_router().save_pretrained(tmp_path / "router")
    forge(folder, lambda data: data["policies"][0].update(description="Put in other words."))  # type: ignore[index]

    assert Router.from_pretrained(folder, host=host_with_fake()).route("Who?")


TAG = RuleConfig(name="tag", options={"tag": "law", "model": LARGE})
LENGTH = RuleConfig(name="length", options={"min_words": 3, "model": LARGE})
SAVED = MappingConfig(policies={"Ambiguous_Query": "odd-model"}, rules=(TAG,), models=("extra",))


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (None, SAVED),
        (MappingConfig(models=("more",)), attrs.evolve(SAVED, models=("more",))),
        (MappingConfig(rules=(LENGTH,)), attrs.evolve(SAVED, rules=(LENGTH,))),
        (
            MappingConfig(policies={"Complex_Query": "odd-model"}),
            attrs.evolve(SAVED, policies={"Complex_Query": "odd-model"}),
        ),
        (MappingConfig(), MappingConfig()),
    ],
)
def test_a_mapping_replaces_what_it_holds_and_leaves_the_rest_as_saved(
    tmp_path: Path, given: MappingConfig | None, found: MappingConfig
) -> None:
    folder = make_router(mapping=SAVED).save_pretrained(tmp_path / "router")

    loaded = Router.from_pretrained(folder, mapping=given, host=host_with_fake())

    assert loaded.mapping.config() == found


@pytest.mark.parametrize(
    ("asked", "needed"),
    [
        ({"tiers": {"a": "a-m", "b": "b-m", "c": "c-m"}}, "Needs_a, Needs_b, Needs_c"),
        ({"matrix": "cheapest-correct"}, "Needs_medium, Needs_large"),
    ],
)
def test_a_saved_map_for_another_matrix_says_the_way_out(
    tmp_path: Path, asked: Mapping[str, object], needed: str
) -> None:
    folder = make_router(mapping=SAVED).save_pretrained(tmp_path / "router")

    with pytest.raises(ConfigError) as caught:
        Router.from_pretrained(folder, host=host_with_fake(), **asked)  # type: ignore[arg-type]

    assert (caught.value.key, caught.value.value) == ("mapping.policies", "Ambiguous_Query")
    assert "'cheapest-correct'" in caught.value.problem
    assert "mapping=MappingConfig()" in caught.value.fix
    assert needed in caught.value.fix


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (MappingConfig(), MappingConfig()),
        (MappingConfig(models=("more",)), MappingConfig(rules=(TAG,), models=("more",))),
        (
            MappingConfig(policies={"Needs_large": "odd-model"}),
            attrs.evolve(SAVED, policies={"Needs_large": "odd-model"}),
        ),
    ],
)
def test_a_map_for_another_matrix_is_dropped_where_a_mapping_is_given(
    tmp_path: Path, given: MappingConfig, found: MappingConfig
) -> None:
    folder = make_router(mapping=SAVED).save_pretrained(tmp_path / "router")

    loaded = Router.from_pretrained(folder, matrix="cheapest-correct", mapping=given, host=host_with_fake())

    assert loaded.mapping.config() == found


def test_a_loaded_router_needs_its_folder_no_more(tmp_path: Path) -> None:
    model = FakePolicyModel(cells={"CC": 1.0})
    parts = {"policy_model_record": FAKE, "tiers": TIERS, "point": POINT, "host": host_with_fake()}
    known = np.array([1, 5, 2**64 - 1], dtype=np.uint64)
    router = assemble_router(policy_model=model, training_hashes=lambda: known, **parts)  # type: ignore[arg-type]
    folder = router.save_pretrained(tmp_path / "router")
    loaded = Router.from_pretrained(folder, host=host_with_fake())

    shutil.rmtree(folder)

    assert loaded.training_hashes().tolist() == known.tolist()
    assert (
        read_checkpoint(loaded.save_pretrained(tmp_path / "again")).training_hashes().tolist()
        == known.tolist()
    )


class LoadingPlugin:
    """Offers the policy model `fake`, and does something else where it is loaded."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self.meanwhile = meanwhile

    @hookimpl
    def routesdk_policy_models(self) -> list[Component[FakePolicyModel]]:
        meanwhile = self.meanwhile

        class Loading(FakePolicyModel):
            def load(self, folder: Path) -> FakePolicyModel:
                meanwhile()
                return super().load(folder)

        return [Component(name="fake", factory=lambda: Loading(cells={"CC": 1.0}))]


def test_a_policy_model_whose_files_are_replaced_while_it_loads_is_loaded_again(tmp_path: Path) -> None:
    folder = make_router({"CC": 1.0}).save_pretrained(tmp_path / "router")
    turns = [lambda: newer.save_pretrained(folder)]
    forge(folder, lambda data: data.update(requires=[]))
    host = make_host(LoadingPlugin(lambda: turns.pop()() if turns else None))
    newer = make_router({"IC": 1.0}, host=host)

    loaded = Router.from_pretrained(folder, host=host)

    assert loaded.checkpoint_id == read_checkpoint(folder).manifest.id
    assert loaded.route("Who?").policy == "Complex_Query"


def test_a_policy_model_that_cannot_load_what_it_saved_is_named(tmp_path: Path) -> None:
    folder = make_router().save_pretrained(tmp_path / "router")
    forge(folder, lambda data: data.update(requires=[]))

    def fail() -> None:
        raise IndexError("no such row")

    with pytest.raises(CheckpointError) as caught:
        Router.from_pretrained(folder, host=make_host(LoadingPlugin(fail)))

    assert "'fake' cannot load it (IndexError" in caught.value.problem
    assert isinstance(caught.value.__cause__, IndexError)


# Plugins that a checkpoint needs.


class TagPlugin:
    """Offers a rule of its own."""

    @hookimpl
    def routesdk_rules(self) -> list[Component[Pinned]]:
        return [Component(name="pinned", factory=Pinned)]


def test_what_a_plugin_brought_is_listed_and_its_absence_gives_the_pip_command(tmp_path: Path) -> None:
    folder = (
        make_router(host=host_with_fake(TagPlugin())).with_rule("pinned").save_pretrained(tmp_path / "router")
    )

    requires = read_checkpoint(folder).manifest.requires
    assert [(part.kind, part.name, part.distribution) for part in requires] == [
        ("policy model", "fake", "FakePlugin"),
        ("rule", "pinned", "TagPlugin"),
    ]
    with pytest.raises(MissingPluginError) as caught:
        Router.from_pretrained(folder, host=make_host(FakePlugin()))
    assert caught.value.checkpoint == str(folder)
    assert caught.value.missing == ("rule 'pinned' of TagPlugin",)
    assert caught.value.install == "pip install TagPlugin"


def test_several_missing_plugins_make_one_command_with_versions(tmp_path: Path) -> None:
    folder = make_router().save_pretrained(tmp_path / "router")
    parts = [
        {"kind": "rule", "name": name, "options": {}, "distribution": "router-extras", "version": "1.2"}
        for name in ("a", "b")
    ]
    forge(folder, lambda data: data.update(requires=parts))

    with pytest.raises(MissingPluginError) as caught:
        Router.from_pretrained(folder, host=host_with_fake())

    assert caught.value.install == "pip install router-extras==1.2"
    assert len(caught.value.missing) == 2


class OtherTagPlugin(TagPlugin):
    """Offers a rule of the same name, by somebody else."""


def test_a_part_of_the_same_name_by_another_distribution_does_not_stand_in(tmp_path: Path) -> None:
    router = make_router(host=host_with_fake(TagPlugin())).with_rule("pinned")
    folder = router.save_pretrained(tmp_path / "router")

    with pytest.raises(MissingPluginError) as caught:
        Router.from_pretrained(folder, host=host_with_fake(OtherTagPlugin()))

    said = "rule 'pinned' of TagPlugin, which OtherTagPlugin offers in its place"
    assert (caught.value.missing, caught.value.install) == ((said,), "pip install TagPlugin")


@pytest.mark.parametrize(
    ("installed", "wanted", "fits"),
    [
        ("1.0", "1.0", True),
        ("1.10", "1.9", True),
        ("2.0", "1.9.9", True),
        ("1.0.0", "1", True),
        ("1.9", "1.10", False),
        ("0.9", "1.0", False),
        ("1.0", "1.0.1", False),
    ],
)
def test_an_older_plugin_than_the_checkpoint_was_saved_with_counts_as_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: str, wanted: str, fits: bool
) -> None:
    folder = make_router().save_pretrained(tmp_path / "router")
    plugins = write_distribution(
        tmp_path / "plugins", "Fake.Plugin", "fake_of_some_version", PLUGIN, version=installed
    )
    monkeypatch.syspath_prepend(str(plugins))
    named = {"distribution": "fake-plugin", "version": wanted}
    forge(folder, lambda data: data["requires"][0].update(named))  # type: ignore[index]

    if fits:
        assert Router.from_pretrained(folder, host=PluginHost()).route("Who?")
        return
    with pytest.raises(MissingPluginError) as caught:
        Router.from_pretrained(folder, host=PluginHost())
    said = f"policy model 'fake' of fake-plugin {wanted} or newer, where {installed} is installed"
    assert (caught.value.missing, caught.value.install) == ((said,), f"pip install fake-plugin=={wanted}")


class BrokenPlugin:
    """Raises where rules are asked for."""

    @hookimpl
    def routesdk_rules(self) -> list[Component[Pinned]]:
        raise RuntimeError("out of order")


@pytest.mark.filterwarnings("ignore")
def test_a_broken_plugin_of_somebody_else_does_not_hide_which_one_is_missing(tmp_path: Path) -> None:
    folder = (
        make_router(host=host_with_fake(TagPlugin())).with_rule("pinned").save_pretrained(tmp_path / "router")
    )

    with pytest.raises(MissingPluginError):
        Router.from_pretrained(folder, host=host_with_fake(BrokenPlugin()))
    forge(folder, lambda data: data["requires"][1].update(distribution="BrokenPlugin"))  # type: ignore[index]
    with pytest.raises(PluginLoadError) as caught:
        Router.from_pretrained(folder, host=host_with_fake(BrokenPlugin()))
    assert caught.value.distribution == "BrokenPlugin"


def test_a_policy_model_of_functions_cannot_be_saved(tmp_path: Path) -> None:
    router = make_router(model=FakePolicyModel(cells=lambda query: {"CC": 1.0}))

    with pytest.raises(CheckpointError):
        router.save_pretrained(tmp_path / "router")


def test_spend_and_observers_are_never_saved(tmp_path: Path) -> None:
    router = make_router()
    spent = attrs.evolve(router, spend=router.host.spend_source("memory", settled_usd=7))

    first, second = (each.save_pretrained(tmp_path / name) for name, each in (("a", router), ("b", spent)))

    assert tree(first) == tree(second)
