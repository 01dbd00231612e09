cat > answers.jsonl <<'END'
{"id": "1", "query": "Who wrote Faust?", "outcomes": {"gemini-2.5-flash": {"score": 1, "answer": "Goethe.", "usage": {"input_tokens": 5, "output_tokens": 8}}}}
{"id": "2", "query": "When did Goethe die?", "outcomes": {"gemini-2.5-flash": {"score": 1, "answer": "In 1832.", "usage": {"input_tokens": 6, "output_tokens": 9}}}}
END
cp answer.toml routesdk.toml
printf 'Who wrote Faust?\nWhen did Goethe die?\n' > questions.txt
# --8<-- [start:ask]
routesdk ask --config routesdk.toml --large-share 0 "Who wrote Faust?"
# --8<-- [end:ask]
# --8<-- [start:many]
routesdk ask --config routesdk.toml --large-share 0 --file questions.txt --json --max-usd 0.50 > answers-1.jsonl
# --8<-- [end:many]
test "$(wc -l < answers-1.jsonl)" -eq 2
# --8<-- [start:options]
routesdk ask --medium gemini-2.5-flash --large gemini-2.5-pro --large-share 0 \
    --backend recorded --backend-option path=answers.jsonl \
    --fallback gemini-2.5-pro --max-output-tokens 500 --spend spend.db --log log.jsonl "Who wrote Faust?"
# --8<-- [end:options]
# --8<-- [start:spend]
routesdk spend log.jsonl
# --8<-- [end:spend]
# --8<-- [start:by]
routesdk spend log.jsonl --by policy --by day --since 2026-01-01
# --8<-- [end:by]
# --8<-- [start:balance]
routesdk spend log.jsonl spend.db --json
# --8<-- [end:balance]
test "$(grep -c '"event": "answer"' log.jsonl)" -eq 4
