"""Measure the shift score: false alarms on held-out rows, and how often other domains are told.

    python benchmarks/shift.py [--json FILE] [--markdown FILE]

Each shared set is a domain. A score is learned from the train rows of each set, and one from those of all
of them as in `default`; it then reads the test rows of every set, SimpleQA in Czech, and code and chat that
were made up for this. Rows of the table are what was learned from, columns what is read. A figure is the
share of single queries called unlike, and below it the share of batches of 20, each drawn with replacement,
that are called so at the level of 1 in 100. Needs the shared sets (ROUTESDK_DATA); a minute on one core.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))

from shared_sets import find_data, load_sets, rows_of, split_sets
from speed import make_queries

from routesdk.pipeline.shift import learn_shift
from routesdk.shift import ShiftScore, assess_scores

BATCH, BATCHES = 20, 300
ALL = "all five (default)"

CODE = (
    "def mean(xs):\n    return sum(xs) / len(xs)\n\nWhy does this fail on an empty list?",
    "TypeError: 'NoneType' object is not subscriptable, line 42 in app.py:\n    print(row['id'])",
    "SELECT u.name, COUNT(*) FROM orders o JOIN users u ON u.id = o.uid GROUP BY u.name HAVING COUNT(*) > 3;",
    "git rebase -i HEAD~3 && git push --force-with-lease origin main",
    "for (let i = 0; i < items.length; i++) {\n  console.log(items[i].price * 1.2);\n}",
    "docker run --rm -it -p 8080:80 -v $(pwd):/srv nginx:alpine",
    "impl Iterator for Fib {\n    type Item = u64;\n    fn next(&mut self) -> Option<u64> { todo!() }\n}",
    '#include <stdio.h>\nint main(void) { printf("%d\\n", 1 << 4); return 0; }',
    "kubectl get pods -n prod | grep CrashLoopBackOff",
    "const App = () => <ul>{rows.map(r => <li key={r.id}>{r.title}</li>)}</ul>;",
    "import pandas as pd\ndf = pd.read_csv('a.csv')\ndf.groupby('city')['sales'].sum().plot()",
    "error[E0382]: borrow of moved value: `config`\n  --> src/main.rs:17:22",
    "ALTER TABLE invoices ADD COLUMN paid_at TIMESTAMP NULL DEFAULT NULL;",
    "curl -X POST https://localhost:9000/v1/jobs -H 'Content-Type: application/json' -d '{\"id\": 7}'",
    "public static <T> List<T> reversed(List<T> in) { var out = new ArrayList<>(in); return out; }",
    "awk -F, '{ s += $3 } END { print s / NR }' data.csv",
    "@app.get('/users/{user_id}')\nasync def read_user(user_id: int):\n    return db[user_id]",
    "Traceback (most recent call last):\n  File \"t.py\", line 3, in <module>\nKeyError: 'token'",
    "package main\n\nfunc main() {\n\tch := make(chan int)\n\tgo func() { ch <- 1 }()\n}",
    "regex: ^(?:\\d{4})-(?:0[1-9]|1[0-2])$ does not match 2024-13, right?",
    "server {\n  listen 443 ssl;\n  location /api { proxy_pass http://127.0.0.1:3000; }\n}",
    "class Node:\n    def __init__(self, value, left=None, right=None):\n        self.value = value",
    "terraform apply -var-file=prod.tfvars -auto-approve",
    "UPDATE accounts SET balance = balance - 50 WHERE id = 12 RETURNING balance;",
)
CHAT = (
    "hey, how's it going today?",
    "thanks so much, that helped a lot!",
    "can you help me write a birthday message for my mum",
    "lol what should i have for dinner tonight",
    "I'm feeling a bit down lately, any advice?",
    "Rewrite this so that it sounds more polite: hi bob, where is the report",
    "Plan a three day trip to Rome with two small kids and not too much walking please",
    "tell me a joke about cats",
    "Translate 'good morning, my friend' into French",
    "summarise my notes in three bullets: we talked about the budget, hiring, and the party",
    "ok but can you make it shorter and a bit funnier?",
    "my landlord won't give me my deposit back, what do i say to him",
    "write me a cover letter, i'm a nurse and i want to move into teaching",
    "no that's not what i meant, try again",
    "what do you think about pineapple on pizza, be honest",
    "i need a name for my new puppy, she's brown and really lazy",
    "Could you please proofread the text below and keep my tone?",
    "give me 5 ideas for a cheap date night at home",
    "good night! talk tomorrow :)",
    "how do i tell my boss that i'm quitting without burning bridges",
    "Write a haiku about rain on a tin roof",
    "can we continue the story from before? the dragon had just woken up",
    "i have eggs, rice and half an onion. go.",
    "Draft an out of office reply for next week, friendly but short",
)


def main() -> int:
    """Measure, and print."""
    options = _options()
    data = find_data()
    if data is None:
        print("The shared sets are absent: set ROUTESDK_DATA to their folder.", file=sys.stderr)
        return 1
    sets = load_sets(data)
    splits = split_sets(sets, 0)
    train = {name: [row.query.text for row in rows_of(sets[name], splits[name], "train")] for name in sets}
    read = {name: [row.query.text for row in rows_of(sets[name], splits[name], "test")] for name in sets}
    with gzip.open(data / "simpleqa_cs.jsonl.gz", "rt", encoding="utf-8") as lines:
        czech = [json.loads(line)["query_cs"] for line in lines]
    read |= {"Czech": [czech[at] for at in splits["simpleqa"].rows("test")], "code": CODE, "chat": CHAT}
    groups = {name: splits[name].groups[splits[name].rows("train")] for name in sets}
    learned = {name: learn_shift({name: train[name]}, groups={name: groups[name]}) for name in sets}
    learned[ALL] = learn_shift(train, groups=groups)
    table = {
        name: {other: rates(shift, texts) for other, texts in read.items()} for name, shift in learned.items()
    }
    found = {"rates": table, "us_alone": alone_us(learned[ALL]), "us_in_batch": batch_us(learned[ALL])}
    text = markdown(table, {name: len(texts) for name, texts in read.items()}, found)
    print(text)
    if options.markdown is not None:
        options.markdown.write_text(text + "\n", encoding="utf-8")
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


def rates(shift: ShiftScore, texts: Sequence[str]) -> tuple[float, float]:
    """Return the share of single queries, and of batches, that are called unlike."""
    scores = shift.score(texts)
    generator = np.random.default_rng(0)
    drawn = generator.integers(0, len(scores), size=(BATCHES, BATCH))
    called = [assess_scores(scores[rows], shift.false_alarm, shift.reference_rows).shifted for rows in drawn]
    return float((scores >= shift.threshold - 1e-12).mean()), float(np.mean(called))


def alone_us(shift: ShiftScore) -> float:
    """Return the median microseconds of the score of one query of 20 words."""
    queries = make_queries(3000, 1)
    times = []
    for query in queries:
        start = time.perf_counter_ns()
        shift.score_text(query)
        times.append(time.perf_counter_ns() - start)
    return float(np.median(times[500:])) / 1000.0


def batch_us(shift: ShiftScore) -> float:
    """Return the microseconds a query in batches of 10,000."""
    batches = [make_queries(10_000, seed) for seed in range(3)]
    times = []
    for queries in batches:
        start = time.perf_counter()
        shift.score(queries)
        times.append((time.perf_counter() - start) / len(queries))
    return float(np.median(times)) * 1e6


def markdown(
    table: Mapping[str, Mapping[str, tuple[float, float]]],
    sizes: Mapping[str, int],
    found: Mapping[str, object],
) -> str:
    """Lay the rates out."""
    heads = [f"{name} ({size:,})" for name, size in sizes.items()]
    lines = [f"| learned from | {' | '.join(heads)} |", "|---|" + "---:|" * len(heads)]
    for name, row in table.items():
        cells = [f"{one:.1%}, {many:.0%}" for one, many in row.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    note = (
        f"Single queries, then batches of {BATCH}. False alarms of single queries are meant to be 5 % at "
        f"most, those of batches 1 %. A score takes {found['us_alone']:.1f} µs alone, "
        f"{found['us_in_batch']:.1f} µs in a batch."
    )
    return "\n".join([*lines, "", note])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
