"""`routesdk.toml`: defaults, the file's mistakes, and round trips."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routesdk._checked import checked
from routesdk.config import (
    Config,
    EvaluateConfig,
    MappingConfig,
    OracleConfig,
    PriceConfig,
    RouterConfig,
    RuleConfig,
    TrainConfig,
    environment_variable,
    load_config,
)
from routesdk.errors import ConfigError
from routesdk.structure import structure, unstructure
from routesdk.tuning import DPOConfig, QLoRAConfig, SFTConfig
from routesdk.types import PartConfig


def write(folder: Path, text: str) -> Path:
    file = folder / "routesdk.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_an_empty_file_gives_every_default(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, "")) == Config()


def test_a_file_with_every_section_is_read(tmp_path: Path) -> None:
    config = load_config(
        write(
            tmp_path,
            """
            [router]
            checkpoint = "default"
            medium = "flash"
            large_share = 0.2
            [mapping]
            policies = { Standard_Query = "flash" }
            models = ["nano"]
            [[mapping.rules]]
            name = "keyword"
            on_error = "skip"
            options = { words = ["proof"], model = "pro" }
            [oracle]
            max_usd = 2.5
            [train]
            trainer = "qlora-dpo"
            data = ["oracle.jsonl"]
            tiers = ["flash", "pro"]
            [train.sft]
            epochs = 1
            qlora = { bits = 8 }
            [train.dpo.qlora]
            bits = 4
            [evaluate]
            resamples = 100
            """,
        )
    )

    assert config.router == RouterConfig(medium="flash", large_share=0.2)
    assert config.mapping.policies == {"Standard_Query": "flash"}
    assert config.mapping.models == ("nano",)
    assert config.mapping.rules == (
        RuleConfig(name="keyword", on_error="skip", options={"words": ["proof"], "model": "pro"}),
    )
    assert config.oracle.max_usd == Decimal("2.5")
    assert config.train == TrainConfig(
        trainer=PartConfig("qlora-dpo"),
        data=(Path("oracle.jsonl"),),
        tiers=("flash", "pro"),
        sft=SFTConfig(epochs=1.0, qlora=QLoRAConfig(bits=8)),
        dpo=DPOConfig(qlora=QLoRAConfig(bits=4)),
    )
    assert config.evaluate.resamples == 100


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[ruoter]", r"ruoter = {}: no such key. Did you mean 'router'\?"),
        ("[router]\nlarge = 3", "router.large = 3: is a whole number, not a string"),
        ("[router]\nlarge_share = 1.5", "router.large_share = 1.5: must be <= 1.0"),
        ("[router]\nlarge_share = nan", "router.large_share = nan: is not a number"),
        ('[router]\ncheckpoint = ""', "router.checkpoint = '': must not be blank"),
        ('[mapping]\nmodels = "pro"', "mapping.models = 'pro': is a string, not a list"),
        ('[mapping]\npolicies = "pro"', "mapping.policies = 'pro': is a string, not a table"),
        ("[mapping.policies]\nA = 1", "mapping.policies.A = 1: is a whole number, not a string"),
        ("[[mapping.rules]]\noptions = {}", r"mapping.rules\[0\].name = nothing: is required"),
        (
            '[[mapping.rules]]\nname = "tag"\noptions = 1',
            r"mapping.rules\[0\].options = 1: is a whole number",
        ),
        (
            '[[mapping.rules]]\nname = "tag"\n[[mapping.rules]]\nname = "math"\non_error = "ignore"',
            r"mapping.rules\[1\].on_error = 'ignore': must be in \('raise', 'skip'\)",
        ),
        ("[oracle]\nmax_usd = -1", "oracle.max_usd = -1: not a finite amount of zero or more"),
        ("[oracle]\nmax_usd = inf", "oracle.max_usd = inf: not a finite amount"),
        ("[oracle]\ntest_share = 0", "oracle.test_share = 0.0: must be > 0.0"),
        ("[oracle]\nconcurrency = 0", "oracle.concurrency = 0: must be >= 1"),
        ('[oracle]\napi_key = "secret"', "oracle.api_key = .not shown.: no such key"),
        ("[train.sft.qlora]\nbits = 5", r"train.sft.qlora.bits = 5: must be in \(4, 8, 16\)"),
        ("[train.dpo.qlora]\nrank = 0", "train.dpo.qlora.rank = 0: must be >= 1"),
        ("[train.qlora]\nbits = 4", r"train.qlora = .*: no such key"),
        ("[train.sft]\nmax_tokens = 63", "train.sft.max_tokens = 63: must be >= 64"),
        ('[train.sft]\ndevice = "gpu"', "train.sft.device = 'gpu'"),
        ("[train]\nvalidation_share = 1", "train.validation_share = 1.0: must be < 1.0"),
        ("[train]\ncompare = 3", "train.compare = 3: is a whole number"),
        ("[train]\nseed = true", "train.seed = True: is true or false, not a whole number"),
        ("[train.sft]\nlearning_rate = inf", "train.sft.learning_rate = inf: must be < inf"),
        ("[train.dpo]\nepochs = inf", "train.dpo.epochs = inf: must be < inf"),
        ('[mapping]\nmodels = ["a", " "]', "mapping.models = ' ': must not be blank"),
        ("[evaluate]\nresamples = 99", "evaluate.resamples = 99: must be >= 100"),
        ("[router", "is no TOML"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_the_file(tmp_path: Path, text: str, error: str) -> None:
    file = write(tmp_path, text)

    with pytest.raises(ConfigError, match=error) as caught:
        load_config(file)

    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "fields", "error"),
    [
        (MappingConfig, {"models": "abc"}, "models = 'abc': is a string, not a list"),
        (MappingConfig, {"models": [1]}, r"models = \(1,\): does not hold"),
        (MappingConfig, {"rules": [{"name": "tag"}]}, "rules = .*does not hold"),
        (MappingConfig, {"policies": ["a"]}, r"policies = \['a'\]: is a list, not a table"),
        (MappingConfig, {"policies": {"a": 1}}, "policies = {'a': 1}: does not hold"),
        (RuleConfig, {"name": ""}, "name = '': must not be blank"),
        (RuleConfig, {"name": None}, "name = None: is nothing, not a string"),
        (RuleConfig, {"name": "tag", "options": "abc"}, "options = 'abc': is a string, not a table"),
        (RuleConfig, {"name": "tag", "on_error": "ignore"}, "on_error = 'ignore': must be in"),
        (
            RouterConfig,
            {"large_share": "0.2"},
            "large_share = '0.2': is a string, not a number or nothing",
        ),
        (RouterConfig, {"large_share": True}, "large_share = True: is true or false"),
        (RouterConfig, {"large_share": 1.5}, "large_share = 1.5: must be <= 1.0"),
        (RouterConfig, {"medium": " "}, "medium = ' ': must not be blank"),
        (RouterConfig, {"large": 3}, "large = 3: is a whole number, not a string or nothing"),
        (OracleConfig, {"backend": "\t"}, "name = .*: is no name of a part"),
        (OracleConfig, {"count_only_tokens": True, "max_usd": 1}, "count_only_tokens = true: money cannot"),
        (OracleConfig, {"max_usd": -1}, "max_usd = -1: not a finite amount"),
        (SFTConfig, {"learning_rate": float("inf")}, "learning_rate = inf: must be < inf"),
        (SFTConfig, {"epochs": float("nan")}, "epochs = nan: must be > 0.0"),
        (DPOConfig, {"batch_size": 2.5}, "batch_size = 2.5: is a number, not a whole number"),
        (TrainConfig, {"sft": DPOConfig()}, "sft = .*: is DPOConfig, not SFTConfig"),
        (EvaluateConfig, {"resamples": True}, "resamples = True: is true or false"),
    ],
)
def test_a_mistake_in_a_config_that_is_built_by_hand_is_named(
    kind: Callable[..., object], fields: dict[str, object], error: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{error}"):
        kind(**fields)


@attrs.frozen(kw_only=True, field_transformer=checked)
class _WithKey:
    """The config of a backend, as one needs a key."""

    api_key_env: str = attrs.field(default="MY_KEY", validator=environment_variable)


@pytest.mark.parametrize(
    "key", ["AIza-key with secret", "sk-secret", "secret" * 50, "1secret", "", b"secret"]
)
def test_a_key_in_place_of_its_variables_name_is_refused_and_not_repeated(key: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="api_key_env") as caught:
        _WithKey(api_key_env=key)  # type: ignore[arg-type]

    assert "secret" not in str(caught.value)


def test_no_error_repeats_what_may_be_a_secret(tmp_path: Path) -> None:
    for line in (
        'api_key_env = "sk-hidden"',
        'api_key_env = ["hidden"]',
        'api_key = "hidden"',
        'password = "hidden"',
    ):
        with pytest.raises(ConfigError) as caught:
            load_config(write(tmp_path, f"[oracle]\n{line}"))

        assert "hidden" not in str(caught.value)


def test_lists_are_taken_for_tuples_and_a_config_can_be_hashed() -> None:
    rule = RuleConfig(name="keyword", options={"words": ["a", {"b": ["c"]}], "model": "pro"})
    mapping = MappingConfig(rules=[rule], models=["a"])

    assert (mapping.rules, mapping.models) == ((rule,), ("a",))
    assert hash(mapping) == hash(structure(json.loads(json.dumps(unstructure(mapping))), MappingConfig))


def test_options_are_frozen_at_any_depth() -> None:
    inner: dict[str, list[str]] = {"words": ["a"]}
    rule = RuleConfig(name="keyword", options={"inner": inner, "listed": [inner]})
    inner["words"].append("b")

    assert rule.options == {"inner": {"words": ("a",)}, "listed": ({"words": ("a",)},)}


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "routesdk.toml"
    file.write_bytes(b'\xef\xbb\xbf[router]\nlarge = "pro"\n')

    assert load_config(file).router.large == "pro"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: cannot be read"):
        load_config(tmp_path / "absent.toml")
    (tmp_path / "latin.toml").write_bytes(b'[router]\nlarge = "caf\xe9"')
    with pytest.raises(ConfigError, match="is no TOML"):
        load_config(tmp_path / "latin.toml")


def test_a_config_cannot_be_changed_behind_its_owners_back() -> None:
    options: dict[str, object] = {"words": ["a"]}
    rule = RuleConfig(name="keyword", options=options)
    options["model"] = "pro"

    assert "model" not in rule.options
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        rule.name = "tag"  # type: ignore[misc]


_names = st.text(min_size=1, max_size=8).filter(str.strip)
_shares = st.floats(0.0, 1.0)
_positive = st.floats(1e-9, 1e9)
_plain = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_rules = st.builds(
    RuleConfig,
    name=_names,
    options=st.dictionaries(_names, _plain, max_size=3),
    on_error=st.sampled_from(["raise", "skip"]),
)
_dollars = st.decimals(0, 10**6, allow_nan=False, allow_infinity=False, places=9)
_configs = st.builds(
    Config,
    router=st.builds(
        RouterConfig, checkpoint=_names, medium=st.none() | _names, large_share=st.none() | _shares
    ),
    mapping=st.builds(
        MappingConfig,
        policies=st.dictionaries(_names, _names, max_size=3),
        rules=st.lists(_rules, max_size=2).map(tuple),
        models=st.lists(_names, max_size=3).map(tuple),
    ),
    oracle=st.builds(
        OracleConfig,
        max_usd=st.none() | st.decimals(0, 10**6, allow_nan=False, allow_infinity=False, places=9),
        test_share=st.floats(0.01, 0.99),
        concurrency=st.integers(1, 10**6),
        judge=st.builds(PartConfig, _names, st.dictionaries(_names, st.integers() | _names, max_size=2)),
    ),
    prices=st.dictionaries(
        _names, st.builds(PriceConfig, input_usd_per_mtok=_dollars, output_usd_per_mtok=_dollars), max_size=2
    ),
    train=st.builds(
        TrainConfig,
        base_model=st.none() | _names,
        seed=st.integers(0),
        data=st.lists(_names.map(Path), max_size=2).map(tuple),
        tiers=st.lists(_names, max_size=3).map(tuple),
        compare=st.lists(_names, max_size=3).map(tuple),
        output=_names.map(Path),
        trainer=st.builds(PartConfig, _names, st.dictionaries(_names, st.integers() | _names, max_size=2)),
        sft=st.builds(
            SFTConfig,
            epochs=_positive,
            max_tokens=st.integers(64),
            qlora=st.builds(QLoRAConfig, rank=st.integers(1), bits=st.sampled_from([None, 4, 8, 16])),
        ),
        dpo=st.builds(DPOConfig, beta=_positive, pairs=st.none() | st.integers(2, 10**7)),
    ),
    evaluate=st.builds(EvaluateConfig, resamples=st.integers(100), seed=st.integers(0)),
)


@given(_configs)
def test_a_config_survives_a_round_trip_through_json(config: Config) -> None:
    assert structure(json.loads(json.dumps(unstructure(config))), Config) == config
