"""The tests of the plugin."""

from __future__ import annotations

import routesdk_rule_many_questions as plugin

from routesdk import Proposal
from routesdk.testing import check_rule, make_context, make_host


def test_three_questions_go_to_the_model() -> None:
    rule = make_host(plugin).rule("many-questions", model="large-model")

    proposal = rule.propose(make_context("Who? When? Why?"))

    assert proposal == Proposal("large-model", "the query asks 3 questions")


def test_the_rule_keeps_its_contract() -> None:
    rule = make_host(plugin).rule("many-questions", model="large-model")

    check_rule(rule, contexts=[make_context("Who? When? Why?")])
