"""What an evaluation rests on: costs, likeness to what was learned, files, versions, the command."""

from __future__ import annotations

from decimal import Decimal

import attrs

from routesdk.metrics import Interval


@attrs.frozen(kw_only=True)
class Cost:
    """What the calls cost.

    Attributes:
        basis: `recorded` (tokens or costs of the calls stand in the rows), `estimated`, or `unknown`.
        note: How costs came about, price dates included; why there are none.
        per_query_usd: Mean cost of a query by the router's decisions, in US dollars.
        total_usd: Cost of all rows by the router's decisions, in US dollars.
        large_total_usd: Cost of all rows by the dearest tier alone, in US dollars.
        tier_total_usd: Cost of all rows by each tier alone, cheapest first, in US dollars.
        saved_usd: Mean saving of a query against the dearest tier alone, in US dollars.
        saved: Share of the cost of the dearest tier alone that is saved.
    """

    basis: str
    note: str
    per_query_usd: Interval | None = None
    total_usd: Decimal | None = None
    large_total_usd: Decimal | None = None
    tier_total_usd: tuple[Decimal, ...] = ()
    saved_usd: Interval | None = None
    saved: Interval | None = None


@attrs.frozen(kw_only=True)
class ShiftFigures:
    """How many rows look unlike what the router learned from.

    Attributes:
        share: Share of the rows that look unlike it; None where the checkpoint cannot tell.
        expected: Share that would look so if they came from where the training rows came from.
        threshold: Score above which a row looks unlike it.
        examples: Ids of those that look unlike it the most.
        shifted: Whether the rows as a whole look unlike it.
        note: What follows from it, or why nothing can be told.
    """

    share: Interval | None
    expected: float | None
    threshold: float | None
    examples: tuple[str, ...] = ()
    shifted: bool = False
    note: str = ""


@attrs.frozen(kw_only=True)
class DataFile:
    """A file of rows, so that it can be known again.

    Attributes:
        name: Its name, without its folder.
        sha256: SHA-256 of its bytes, in hex.
        rows: How many rows of it were given.
    """

    name: str
    sha256: str
    rows: int


@attrs.frozen(kw_only=True)
class Provenance:
    """What was evaluated with what, so that anyone can do it again.

    Attributes:
        checkpoint: The router's name, such as `default`.
        checkpoint_id: Its checkpoint's id; empty where it was never saved.
        policy_model: Name of its policy model.
        matrix: Name of its matrix.
        learned_from: What its card says that it was trained on, a set each.
        data: The files of rows; empty where rows were given in Python.
        rows_sha256: SHA-256 over ids, questions and outcomes of the rows that were measured on.
        package_version: Version of routesdk.
        python_version: Version of Python.
        numpy_version: Version of numpy.
        command: The command that does it again; empty where it was done in Python.
        date: When, as YYYY-MM-DD; empty where that was not said.
    """

    checkpoint: str
    checkpoint_id: str
    policy_model: str
    matrix: str
    rows_sha256: str
    package_version: str
    python_version: str
    numpy_version: str
    learned_from: tuple[str, ...] = ()
    data: tuple[DataFile, ...] = ()
    command: str = ""
    date: str = ""
