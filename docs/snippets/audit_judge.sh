# --8<-- [start:rows]
cat > verdicts.jsonl <<'ROWS'
{"id": 1, "query": "Who wrote Faust?", "reference": "Johann Wolfgang von Goethe", "outcomes": {"small": {"grade": "CORRECT", "answer": "Goethe did."}, "big": {"grade": "INCORRECT", "answer": "It was Schiller."}}}
{"id": 2, "query": "When did the ferry open?", "reference": "3 May 1962", "outcomes": {"small": {"grade": "ABSTAINED", "answer": "I do not know."}, "big": {"grade": "CORRECT", "answer": "On 3.5.1962."}}}
ROWS
# --8<-- [end:rows]
# --8<-- [start:audit]
routesdk judge audit --data verdicts.jsonl --judge lexical
# --8<-- [end:audit]
# --8<-- [start:config]
routesdk judge audit --data verdicts.jsonl --config judge.toml --option recorded.path=verdicts.jsonl --json
# --8<-- [end:config]
# --8<-- [start:several]
routesdk judge audit --data verdicts.jsonl --judge lexical --judge recorded --option recorded.path=verdicts.jsonl
# --8<-- [end:several]
