# --8<-- [start:list]
routesdk plugins list
# --8<-- [end:list]
# --8<-- [start:toml]
cat > routesdk.toml <<'TOML'
[[mapping.rules]]
name = "many-questions"
options = { model = "gpt-4.1", at_least = 3 }
TOML
routesdk route --config routesdk.toml "Who was Noether? When was she born? What did she prove?"
# --8<-- [end:toml]
