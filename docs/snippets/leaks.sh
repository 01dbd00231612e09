for name in Akashi Humber Tatara Verrazzano; do
  for word in opened designed painted repaired; do
    printf '{"id": "%s-%s", "query": "Who %s the bridge at %s?", "topic": "%s"}\n' $name $word $word $name $word
  done
done > questions.jsonl
# --8<-- [start:split]
routesdk split questions.jsonl --test-share 0.25 --output parts
# --8<-- [end:split]
test "$(cat parts_train.jsonl parts_test.jsonl | wc -l)" -eq 16
# --8<-- [start:sides]
routesdk leak-check parts_train.jsonl parts_test.jsonl && echo "train and test share no question"
# --8<-- [end:sides]
# --8<-- [start:files]
printf '%s\n' "Who opened the Bridge at Humber" "Who crossed the bridge at Humber?" > mine.txt
routesdk leak-check mine.txt questions.jsonl || echo "take these rows out of one of the two"
# --8<-- [end:files]
# --8<-- [start:gate]
routesdk leak-check mine.txt questions.jsonl --json > pairs.jsonl || wc -l < pairs.jsonl
# --8<-- [end:gate]
test "$(wc -l < pairs.jsonl)" -eq 1
# --8<-- [start:learned]
routesdk leak-check mine.txt --checkpoint default
# --8<-- [end:learned]
