# --8<-- [start:config]
routesdk route --config routesdk.toml "What is 3 * (4 + 5)?"
# --8<-- [end:config]
test "$(wc -l < decisions.jsonl)" -eq 1
