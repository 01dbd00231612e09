# --8<-- [start:route]
routesdk route "Who was awarded the Oceanography Society's Jerlov Award in 2018?"
# --8<-- [end:route]
# --8<-- [start:share]
routesdk route --large-share 0.1 "What is the capital of France?"
# --8<-- [end:share]
# --8<-- [start:explain]
routesdk route --explain --json "How far is the Moon?"
# --8<-- [end:explain]
