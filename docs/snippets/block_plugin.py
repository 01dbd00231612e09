"""A broken plugin is reported, and harms nobody until it is asked for."""

# --8<-- [start:broken]
from routesdk import PluginHost, hookimpl
from routesdk.errors import PluginLoadError


class Broken:
    """A plugin with a bug."""

    @hookimpl
    def routesdk_rules(self):
        """Fail."""
        raise RuntimeError("no licence file")


host = PluginHost([Broken()])
for report in host.plugins():
    if report.errors:
        print(report.name, report.errors)
print(host.rule("length", min_words=50, model="gpt-4.1"))  # the others work

try:
    host.rule("its-rule")
except PluginLoadError as error:
    print(error)
# --8<-- [end:broken]
else:
    raise AssertionError("the broken plugin offered its rule")

# --8<-- [start:block]
host = PluginHost([Broken()], blocked={"Broken"})
assert [report.name for report in host.plugins() if report.blocked] == ["Broken"]
# --8<-- [end:block]
