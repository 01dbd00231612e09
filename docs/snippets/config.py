"""Read the config file from Python."""

# --8<-- [start:load]
from routesdk import Router
from routesdk.config import load_config

config = load_config("routesdk.toml")
router = Router.from_config(config.router, config.mapping)
print(router.route("What is 3 * (4 + 5)?").model)
# --8<-- [end:load]
# --8<-- [start:typo]
from pathlib import Path

from routesdk.errors import ConfigError

Path("typo.toml").write_text("[router]\nlarge_shar = 0.2\n")
try:
    load_config("typo.toml")
except ConfigError as error:
    print(error)
# --8<-- [end:typo]
else:
    raise AssertionError("a typo was taken")
