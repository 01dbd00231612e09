# --8<-- [start:sft]
routesdk train oracle_dataset.jsonl --trainer qlora-sft --base-model models/SmolLM2-135M-Instruct
# --8<-- [end:sft]
# --8<-- [start:dpo]
routesdk train oracle_dataset.jsonl --trainer qlora-dpo --base-model models/SmolLM2-135M-Instruct
# --8<-- [end:dpo]
# --8<-- [start:config]
routesdk train --config train.toml
# --8<-- [end:config]
# --8<-- [start:compare]
routesdk compare oracle_dataset.jsonl --base-model models/SmolLM2-135M-Instruct --base-model models/gemma-3-270m-it
# --8<-- [end:compare]
# --8<-- [start:use]
routesdk route --checkpoint router_checkpoints/router_final --explain \
    --model-option base_model=models/SmolLM2-135M-Instruct "How far is the Moon?"
# --8<-- [end:use]
# --8<-- [start:shelf]
export ROUTESDK_BASE_MODELS=models
routesdk route --checkpoint router_checkpoints/router_final "How far is the Moon?"
# --8<-- [end:shelf]
# --8<-- [start:merge]
routesdk merge router_checkpoints/router_final router_checkpoints/merged
# --8<-- [end:merge]
unset ROUTESDK_BASE_MODELS
routesdk route --checkpoint router_checkpoints/merged "How far is the Moon?"
