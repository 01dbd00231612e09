# --8<-- [start:models]
routesdk route --medium gemini-2.5-flash --large gemini-2.5-pro "How far is the Moon?"
# --8<-- [end:models]
# --8<-- [start:tiers]
routesdk route --tier small=gpt-5-nano --tier middle=gpt-5-mini --tier large=gpt-5 "How far is the Moon?"
# --8<-- [end:tiers]
# --8<-- [start:budget]
routesdk route --medium gemini-2.5-flash --large gemini-2.5-pro --budget 10 --spent 9.5 "How far is the Moon?"
# --8<-- [end:budget]
# --8<-- [start:plugins]
routesdk plugins list
routesdk plugins list --json
# --8<-- [end:plugins]
# --8<-- [start:block]
ROUTESDK_BLOCKED_PLUGINS=math,keyword routesdk plugins list
# --8<-- [end:block]
# --8<-- [start:version]
routesdk --version
# --8<-- [end:version]
