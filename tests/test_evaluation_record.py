"""An evaluation survives its way through JSON."""

from __future__ import annotations

import json

import attrs
import pytest

from evaluations import make_evaluation
from routesdk.errors import ConfigError
from routesdk.pipeline.evaluation import from_record, to_record
from routesdk.testing.fakes import make_decision


def test_an_evaluation_survives_json_but_for_the_rows_that_have_a_file_of_their_own() -> None:
    evaluation = make_evaluation()

    text = json.dumps(to_record(evaluation), allow_nan=False)

    assert from_record(json.loads(text)) == attrs.evolve(evaluation, results=())


def test_the_rows_can_come_along() -> None:
    evaluation = make_evaluation()

    assert from_record(to_record(evaluation, results=True)) == evaluation


def test_a_record_of_another_version_is_refused() -> None:
    record = to_record(make_evaluation()) | {"schema_version": 99}

    with pytest.raises(ConfigError) as caught:
        from_record(record)

    assert caught.value.key == "schema_version"


def test_a_mistake_has_its_decision_with_the_trace() -> None:
    (first, *_) = make_evaluation().mistakes

    assert first.decision == make_decision()
