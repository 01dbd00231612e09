# --8<-- [start:lines]
printf '%s\n' "What is the capital of France?" "Prove that pi is irrational." > questions.txt
routesdk route --file questions.txt
# --8<-- [end:lines]
# --8<-- [start:json]
printf '%s\n' '{"id": "q1", "query": "How far is the Moon?", "tags": ["vip"]}' > questions.jsonl
routesdk route --file questions.jsonl --json > decisions.jsonl
# --8<-- [end:json]
grep -q '"query_id": "q1"' decisions.jsonl
# --8<-- [start:pipe]
printf 'How far is the Moon?\nHow far is the Sun?\n' | routesdk route --json | wc -l
# --8<-- [end:pipe]
# --8<-- [start:log]
routesdk route --file questions.txt --log log.jsonl --large-share 0.2
# --8<-- [end:log]
test "$(wc -l < log.jsonl)" -eq 2
