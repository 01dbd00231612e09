"""The config that a project begins with: commented, valid, and ready to run."""

from __future__ import annotations

from pathlib import Path

from routesdk.errors import ConfigError

STARTER = """\
# routesdk.toml: what `routesdk run` does, from questions to a report.
#
#   routesdk run --dry-run     what would be done, and what it would cost
#   routesdk run               do it; stopped and started again, it goes on
#   routesdk status            what is stale, and why
#
# Every key may be left out; what stands here are the defaults, unless a comment says otherwise.
# Keys of providers come from the environment (GEMINI_API_KEY): never write one here.

[project]
# What the files are called: data/benchmarks/simpleqa.jsonl, data/splits/simpleqa_train.jsonl, ...
name = "simpleqa"
# Test rows to answer and grade, which costs money as the train rows do. Without it: all.
test_limit = 200                                    # not a default

[oracle]
# Where the questions come from. Your own: { name = "jsonl", options = { path = "questions.jsonl" } },
# a row each: {"id": ..., "query": ..., "reference": ...}.
benchmark = "simpleqa"
# Who answers. `routesdk plugins list` shows the others.
backend = "gemini"
# Who grades, blind: question, reference and one answer. "lexical" costs nothing, and knows less.
judge = "gemini"
# Who writes the reasons that a router learns to give, from the question alone.
analyst = "heuristic"
# What turns two grades into a policy; another one stands under [train], too.
matrix = "nine-cell"
# How the questions are divided.
test_share = 0.2
split_seed = 0
# Train rows to take, chosen by their hash; a higher limit later adds rows. Without it: all.
limit = 400                                         # not a default
# Everything that was paid for; never remove it.
journal = "data/generated/oracle.sqlite"            # not a default
# US dollars that all calls together may come to. Without it: no bound.
max_usd = 5                                         # not a default
# Of an answer, thinking included: what a call may cost at the most.
max_output_tokens = 2048
# Calls under way at once.
concurrency = 16

# The models to choose between, cheapest first.
[[oracle.tiers]]
name = "medium"
model = "gemini-2.5-flash"

[[oracle.tiers]]
name = "large"
model = "gemini-2.5-pro"

[train]
# linear: seconds, no extra. encoder: needs routesdk[encoder]. qlora-sft, qlora-dpo: a language
# model, needs routesdk[train] and, but for small ones, a GPU.
trainer = "linear"
# For qlora-sft and qlora-dpo: a folder or a Hub id.
# base_model = "google/gemma-2-2b-it"
output = "router_checkpoints/router_final"
work = "router_checkpoints/work"
# Trainers whose routers stand beside it in the table after training.
compare = ["linear"]
seed = 0

[evaluate]
# Bootstrap behind every interval.
resamples = 2000
seed = 0

[router]
# What `routesdk route`, `ask` and `chat` use with `-c routesdk.toml`, once it is trained.
checkpoint = "router_checkpoints/router_final"      # not a default
backend = "gemini"                                  # not a default
"""
"""The starting config; `routesdk init` writes it."""


def write_starter(file: Path) -> None:
    """Write the starting config; a file that is there is never written over.

    Raises:
        ConfigError: There is such a file already, or it cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as text:
            text.write(STARTER)
    except FileExistsError as error:
        fix = "Edit it, or name another: routesdk init other.toml."
        raise ConfigError("file", str(file), "is there already, and is left as it is", fix) from error
    except OSError as error:
        problem = f"cannot be written ({error.strerror})"
        raise ConfigError("file", str(file), problem, "Choose another place.") from error
