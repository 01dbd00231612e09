"""What `routesdk evaluate` prints, on terminals of any width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from evaluations import make_evaluation
from routesdk.cli.evaluation_table import print_evaluation


def printed(width: int) -> list[str]:
    out = Console(width=width, force_terminal=True, no_color=True, highlight=False, file=io.StringIO())
    print_evaluation(make_evaluation(), out=out)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 99, 100, 160])
def test_every_line_keeps_its_name_and_its_whole_figures(width: int) -> None:
    lines = printed(width)
    table = lines[1 : next(at for at, line in enumerate(lines) if "targets" in line)]

    for line in make_evaluation().lines:
        assert any(each.startswith(line.name) for each in table)
    assert not any("…" in each for each in table)
    text = " ".join(" ".join(table).split())
    assert "42.0 %" in text
    assert "[39.0, 45.0]" in text


def test_intervals_stand_below_their_figures_where_there_is_no_room_behind_them() -> None:
    assert any(line.startswith("router") and "[39.0, 45.0]" in line for line in printed(120))
    assert not any(line.startswith("router ") and "[39.0, 45.0]" in line for line in printed(80))
