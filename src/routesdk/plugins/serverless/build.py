"""The app on Modal: its images, its volumes, and its functions with their limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import modal

from routesdk.plugins.serverless import endpoint, layout, work
from routesdk.plugins.serverless.config import ModalConfig
from routesdk.plugins.serverless.pin import BASE, PYTHON, TRAINING

_LEFT_OUT = ["**/__pycache__", "**/*.pyc", "**/.*"]
# A big image takes its time to reach a machine; that is no part of the work.
_START_S = 15 * 60
_REQUEST_S = 60
# Decisions are short, and a router may be shared by threads.
_REQUESTS_AT_ONCE = 32

Work = modal.Function[..., Any, Any]


@attrs.frozen(eq=False)
class Deployment:
    """An app with what it is called through.

    Attributes:
        app: The app.
        functions: Its functions by the stage that each runs; `""` runs any other.
        data: The data volume.
    """

    app: modal.App
    functions: Mapping[str, Work]
    data: modal.Volume


def build_app(config: ModalConfig) -> Deployment:
    """Describe the app; nothing is sent before it is run or deployed.

    Args:
        config: What it asks of Modal.
    """
    # The package goes along by itself, with its data files: see `_image`.
    app = modal.App(config.app, include_source=False)
    data = modal.Volume.from_name(config.data_volume, create_if_missing=True)
    checkpoints = modal.Volume.from_name(config.checkpoint_volume, create_if_missing=True)
    volumes = {layout.DATA: data, layout.CHECKPOINTS: checkpoints}
    secrets = [modal.Secret.from_name(name) for name in config.secrets]
    heavy = _image(config, training=True)
    light = _image(config, training=False)

    def function(body: Callable[..., object], image: modal.Image) -> Work:
        register = app.function(
            image=image,
            gpu=config.gpu or None,
            timeout=config.timeout_s,
            startup_timeout=_START_S,
            retries=modal.Retries(max_retries=config.retries, initial_delay=1.0),
            volumes=volumes,  # type: ignore[arg-type]
            secrets=secrets,
            region=config.region or None,
            max_containers=config.containers,
            # What a shard leaves in memory, on the GPU or in a temporary folder is no part of the next one.
            single_use_containers=True,
        )
        return register(body)

    any_image = heavy if config.gpu else light
    functions = {
        work.ORACLE_STAGE: function(work.oracle_part, any_image),
        work.TRAINING_STAGE: function(work.train, heavy),
        work.ROUTING_STAGE: function(work.route_batch, any_image),
        "": function(work.stage, any_image),
    }
    _add_endpoint(app, config, heavy if config.endpoint_gpu else light, checkpoints, secrets)
    return Deployment(app, functions, data)


def _add_endpoint(
    app: modal.App,
    config: ModalConfig,
    image: modal.Image,
    checkpoints: modal.Volume,
    secrets: list[modal.Secret],
) -> None:
    web = modal.fastapi_endpoint(method="POST", requires_proxy_auth=config.protected)(endpoint.decide)
    app.function(
        image=image,
        gpu=config.endpoint_gpu or None,
        timeout=_REQUEST_S,
        startup_timeout=_START_S,
        volumes={layout.CHECKPOINTS: checkpoints},
        secrets=secrets,
        region=config.region or None,
        max_containers=config.containers,
    )(modal.concurrent(max_inputs=_REQUESTS_AT_ONCE)(web))


def _image(config: ModalConfig, *, training: bool) -> modal.Image:
    """Describe an image: direct packages to the version, what these need as pip finds it, and this routesdk.

    The package comes from this machine and not from an index: the ends of a call then never differ, and a
    version that was never released can be run too.
    """
    packages = (*BASE, *(TRAINING if training else ()), *config.packages)
    return (
        modal.Image.debian_slim(python_version=PYTHON)
        .pip_install(*packages)
        .env(
            {
                layout.DATA_VOLUME_ENV: config.data_volume,
                layout.CHECKPOINT_VOLUME_ENV: config.checkpoint_volume,
                layout.ENDPOINT_ENV: config.checkpoint,
                layout.EXPLAIN_ENV: "1" if config.explain else "0",
                "ROUTESDK_CHECKPOINTS": layout.CHECKPOINTS,
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            }
        )
        # Modal leaves out all but Python by itself; the bundled router and the price table are data.
        .add_local_python_source("routesdk", *config.sources, ignore=_LEFT_OUT)
    )
