row() {
  printf '{"id": "%s", "query": "%s", "reference": "%s", "topic": "Facts", "outcomes": {' "$1" "$2" "$3"
  printf '"gemini-2.5-flash": {"grade": "%s", "answer": "%s"}, ' "$4" "$5"
  printf '"gemini-2.5-pro": {"grade": "%s", "answer": "%s"}}}\n' "$6" "$7"
}
no="I do not know."
{
  row 1 "Who wrote the play about Doctor Faust?" "Goethe" CORRECT "Johann Wolfgang von Goethe" CORRECT "Goethe"
  row 2 "How far away is the Moon?" "384,400 km" INCORRECT "About 300,000 km" CORRECT "384,400 km"
  row 3 "Which river runs through Vienna?" "the Danube" INCORRECT "the Rhine" CORRECT "The Danube."
  row 4 "When was the telescope of Jena opened?" "1891" INCORRECT "1850" INCORRECT "1860"
  row 5 "What is the tallest mountain on Mars?" "Olympus Mons" ABSTAINED "$no" CORRECT "Olympus Mons"
  row 6 "Whose portrait hangs in room 711?" "Mona Lisa" INCORRECT "Napoleon" ABSTAINED "$no"
  row 7 "Who composed the opera Rusalka?" "Antonín Dvořák" CORRECT "Dvořák" INCORRECT "Smetana"
  row 8 "Where does the ibis breed in winter?" "Souss-Massa" ABSTAINED "$no" ABSTAINED "$no"
  row 9 "Which gas did Ramsay find in 1898?" "krypton" CORRECT "Krypton." CORRECT "Krypton, with Travers."
  row 10 "What did Ørsted measure with a compass?" "the current" INCORRECT "heat" CORRECT "the current"
  row 11 "How many keys has a celesta?" "61" INCORRECT "88" CORRECT "61"
  row 12 "Which bird is on the coin of Kiribati?" "frigatebird" ABSTAINED "$no" INCORRECT "a heron"
} > outcomes.jsonl
# Recorded answers stand in for the provider.
part='{ name = "recorded", options = { path = "outcomes.jsonl" } }'
sed -e "s/^benchmark = .*/benchmark = $part/; s/^backend = .*/backend = $part/; s/^judge = .*/judge = $part/" \
    -i.gemini oracle.toml
# --8<-- [start:recorded]
routesdk oracle generate --recorded outcomes.jsonl --medium gemini-2.5-flash --large gemini-2.5-pro \
    --journal recorded.sqlite
# --8<-- [end:recorded]
# --8<-- [start:dry]
routesdk oracle generate --config oracle.toml --dry-run
# --8<-- [end:dry]
test ! -e oracle.sqlite
# --8<-- [start:first]
routesdk oracle generate --config oracle.toml --limit 5 --max-usd 1
# --8<-- [end:first]
# --8<-- [start:generate]
routesdk oracle generate --config oracle.toml
# --8<-- [end:generate]
# --8<-- [start:retry]
routesdk oracle generate --config oracle.toml --retry-unscored
# --8<-- [end:retry]
# --8<-- [start:show]
routesdk oracle show oracle.sqlite
# --8<-- [end:show]
# --8<-- [start:cell]
routesdk oracle show oracle.sqlite --cell IC --examples 5
# --8<-- [end:cell]
# --8<-- [start:export]
routesdk oracle export oracle.sqlite oracle_dataset.jsonl
# --8<-- [end:export]
test "$(cat oracle_dataset.jsonl oracle_dataset.kept_out.jsonl | wc -l)" -eq 10
# --8<-- [start:relabel]
routesdk oracle relabel oracle.sqlite --judge lexical
routesdk oracle relabel oracle.sqlite --matrix table --matrix-option file=cells.toml --output relabelled.jsonl
# --8<-- [end:relabel]
test "$(wc -l < relabelled.jsonl)" -eq 10
# --8<-- [start:shards]
routesdk oracle generate --config oracle.toml --shards 2 --journal shards.sqlite
# --8<-- [end:shards]
