cat > answers.jsonl <<'END'
{"id": "1", "query": "Who wrote Faust?", "outcomes": {"gemini-2.5-flash": {"score": 1, "answer": "Goethe.", "usage": {"input_tokens": 5, "output_tokens": 8}}, "gemini-2.5-pro": {"score": 1, "answer": "Goethe."}}}
{"id": "2", "query": "When did Goethe die?", "outcomes": {"gemini-2.5-flash": {"score": 1, "answer": "In 1832."}, "gemini-2.5-pro": {"score": 1, "answer": "In 1832."}}}
END
cp answer.toml routesdk.toml
printf 'Who wrote Faust?\nWhen did Goethe die?\n' > questions.txt
exec < questions.txt
# --8<-- [start:start]
routesdk chat
# --8<-- [end:start]
# --8<-- [start:answers]
routesdk chat --config routesdk.toml < questions.txt
# --8<-- [end:answers]
# --8<-- [start:piped]
routesdk chat --no-answers < questions.txt > decisions.txt
# --8<-- [end:piped]
test "$(grep -c '^policy ' decisions.txt)" -eq 2
# --8<-- [start:commands]
printf 'Who wrote Faust?\n/why\n/budget 5\n' | routesdk chat
# --8<-- [end:commands]
