"""`routesdk ask`: decide questions and answer them, one or many."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import typer

from routesdk.cli import option
from routesdk.cli.console import check_output, errors, plain, printable
from routesdk.cli.option import RouterOptions
from routesdk.cli.part import part_options
from routesdk.cli.route import decision_table
from routesdk.cli.source import read_queries
from routesdk.errors import ConfigError, RouteSDKError
from routesdk.record import answer_to_dict, decision_to_dict
from routesdk.types import EXACT, Answer, Decision, PartConfig, Query

if TYPE_CHECKING:
    from routesdk.reply import RoutedAnswer
    from routesdk.router import Router
    from routesdk.terms import AnswerOptions


def ask(
    query: list[str] = option.QUERY,
    file: Path | None = option.FILE,
    as_json: bool = typer.Option(False, "--json", help="One JSON record an answer: {decision, answer}."),
    verbose: bool = typer.Option(False, "--verbose", "-v", help="Show all of the decision."),
    backend: str | None = typer.Option(None, help="Backend that reaches the models, by name."),
    backend_option: list[str] = typer.Option(None, help="KEY=VALUE of the backend's config; JSON or text."),
    fallback: list[str] = typer.Option(None, help="Model to ask where the chosen one fails; repeat it."),
    fallback_on: str | None = typer.Option(
        None, help="Which failures lead to it: retryable, or any. [default: retryable]"
    ),
    system: str = typer.Option("", help="System instruction."),
    max_output_tokens: int | None = typer.Option(None, help="Cap on each answer. [default: 4096]"),
    temperature: float | None = typer.Option(None, help="Sampling temperature."),
    timeout_s: float = typer.Option(120.0, "--timeout-s", help="Deadline of each call, in seconds."),
    max_usd: str | None = typer.Option(
        None, help="US dollars that all answers together may cost; with --spend, what its file may come to."
    ),
    spend: Path | None = typer.Option(None, help="SQLite file that money is counted in, over many runs."),
    concurrency: int = typer.Option(8, help="Calls under way at once, where there are many questions."),
    checkpoint: str | None = option.CHECKPOINT,
    medium: str | None = option.MEDIUM,
    large: str | None = option.LARGE,
    tier: list[str] = option.TIER,
    large_share: float | None = option.LARGE_SHARE,
    model_option: list[str] = option.MODEL_OPTION,
    budget: str | None = option.BUDGET,
    spent: str | None = option.SPENT,
    log: Path | None = typer.Option(None, help="Append every decision and answer to this JSONL file."),
    log_text: bool = typer.Option(
        False, "--log-text", help="Write questions and answers into the log word for word."
    ),
    config: Path | None = option.CONFIG,
) -> None:
    """Decide which model each question deserves, and answer it with that model."""
    check_output()
    given = RouterOptions(
        config=config,
        checkpoint=checkpoint,
        medium=medium,
        large=large,
        tier=tier,
        large_share=large_share,
        model_option=model_option,
        budget=budget,
        spent=spent,
        log=log,
        log_text=log_text,
    )
    router = counting(reaching(given.router(), backend, backend_option or []), spend, spent)
    terms = _terms(fallback, fallback_on)
    terms |= {"system": system, "max_output_tokens": max_output_tokens, "temperature": temperature}
    terms |= {"timeout_s": timeout_s, "max_usd": max_usd}
    if concurrency < 1:
        raise ConfigError("--concurrency", str(concurrency), "must be 1 or more", "Give 8, for example.")
    queries = read_queries(query or [], file, command="ask")
    if query and len(query) == 1 and not as_json:
        _stream(router, next(queries), terms, verbose)
    else:
        asyncio.run(_answer_all(router, queries, terms, concurrency, as_json, verbose))


def _terms(fallback: list[str] | None, fallback_on: str | None) -> AnswerOptions:
    """Return what the command line says of fallbacks; where it says nothing, the config's hold."""
    from routesdk.terms import Fallback

    if fallback:
        return {"fallback": Fallback(tuple(fallback), fallback_on or "retryable")}
    if fallback_on is not None:
        problem = "was given without a fallback"
        raise ConfigError("--fallback-on", fallback_on, problem, "Give --fallback too.")
    return {}


def reaching(router: Router, backend: str | None, given: list[str]) -> Router:
    """Set the backend that the command line names, in place of those of the config."""
    options = part_options(given, flag="--backend-option")
    if backend is None:
        if options:
            problem = "were given without a backend"
            raise ConfigError("--backend-option", ", ".join(options), problem, "Give --backend too.")
        return router
    return router.with_backend(PartConfig(backend, options))


def counting(router: Router, spend: Path | None, spent: str | None) -> Router:
    """Count money in a file, over many runs, where the command line names one."""
    if spend is None:
        return router
    if spent is not None:
        raise ConfigError("--spent", spent, "was given beside --spend", "The file knows what is spent.")
    return attrs.evolve(router, spend=router.host.spend_source("sqlite", path=str(spend)))


def _stream(router: Router, query: Query, terms: AnswerOptions, verbose: bool) -> None:
    """Answer one question; its text arrives on standard output as the model writes it."""
    with router.stream(query, **terms) as pieces:
        for piece in pieces:
            sys.stdout.write(plain(piece.text))
            sys.stdout.flush()
        sys.stdout.write("\n")
        assert pieces.answer is not None
        _show(query, pieces.decision, pieces.answer, verbose)


async def _answer_all(
    router: Router,
    queries: Iterator[Query],
    terms: AnswerOptions,
    concurrency: int,
    as_json: bool,
    verbose: bool,
) -> None:
    """Answer many questions, and write the answers in the order of the questions.

    Raises:
        RouteSDKError: What kept the questions from being read to the end, else the first one
            from being answered; the others were answered, but for those that were never begun.
    """
    from routesdk.cli.crowd import NeverBegun, answers

    told: list[Answer] = []
    failed: list[RouteSDKError] = []
    never_begun = 0
    try:
        async with aclosing(answers(router, queries, terms, concurrency)) as replies:
            async for query, reply in replies:
                if isinstance(reply, NeverBegun):
                    never_begun += 1
                    if as_json:
                        _write({"query_id": query.id, "error": str(reply.error), "never_begun": True})
                elif isinstance(reply, RouteSDKError):
                    failed.append(reply)
                    _refuse(query, reply, as_json)
                else:
                    told.append(reply.answer)
                    _tell(query, reply, as_json, verbose)
    finally:
        if len(told) + len(failed) + never_begun > 1:
            errors().print(_sum(told, len(failed), never_begun))
    if failed:
        raise failed[0]


def _refuse(query: Query, error: RouteSDKError, as_json: bool) -> None:
    errors().print(f"[red]no answer[/] to {printable(query.text, 60)}: {printable(str(error))}")
    if as_json:
        _write({"query_id": query.id, "error": str(error)})


def _tell(query: Query, reply: RoutedAnswer, as_json: bool, verbose: bool) -> None:
    if as_json:
        _write({"decision": decision_to_dict(reply.decision), "answer": answer_to_dict(reply.answer)})
        return
    sys.stdout.write(f"{plain(query.text)}\n{plain(reply.text)}\n\n")
    _show(query, reply.decision, reply.answer, verbose)


def _write(record: dict[str, object]) -> None:
    # Bytes of JSON's own ASCII: no text can hold what a terminal's encoding cannot.
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


def _show(query: Query, decision: Decision, answer: Answer, verbose: bool) -> None:
    """Show the decision, and what the answer cost, on standard error."""
    usage = answer.usage
    if verbose:
        errors().print(decision_table(query, decision))
    tokens = ", ".join(
        f"{'?' if count is None else f'{count:,}'} tokens {way}"
        for way, count in (("in", usage.input_tokens), ("out", usage.output_tokens))
    )
    cost = "unknown" if usage.cost_usd is None else f"${usage.cost_usd:f}"
    line = f"{decision.policy} -> {decision.model}: cost {cost}, {tokens}"
    if answer.finish_reason.lower() not in ("stop", "end_turn"):
        line += f", ended by {answer.finish_reason}"
    errors().print(f"[dim]{printable(line)}[/]", soft_wrap=True)
    for notice in () if verbose else decision.notices:
        errors().print(f"[yellow]{printable(notice)}[/]", soft_wrap=True)


def _sum(told: list[Answer], failed: int, never_begun: int) -> str:
    known_usd = Decimal(0)
    unknown = 0
    for answer in told:
        if answer.usage.cost_usd is None:
            unknown += 1
        else:
            known_usd = EXACT.add(known_usd, answer.usage.cost_usd)
    more = f", and {unknown:,} of unknown cost" if unknown else ""
    without = f"; {failed:,} questions got no answer" if failed else ""
    unasked = f"; {never_begun:,} questions were never begun" if never_begun else ""
    return f"{len(told):,} answers: ${known_usd:f}{more}{without}{unasked}"
