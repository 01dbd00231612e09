"""What Modal's errors mean, and what to do about them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import modal
import modal.exception as refused

from routesdk.errors import ExecutorError
from routesdk.plugins.serverless.config import ModalConfig

_ACCOUNT = (
    "Make an account at modal.com and run `modal setup`, or set MODAL_TOKEN_ID and MODAL_TOKEN_SECRET, "
    "which `modal token new` makes."
)


@contextlib.contextmanager
def telling(config: ModalConfig) -> Iterator[None]:
    """Turn Modal's errors into ones that say what to do.

    Raises:
        ExecutorError: Modal refused, or cannot be reached.
    """
    try:
        yield
    except refused.Error as error:
        raise explained(error, config) from error


def explained(error: Exception, config: ModalConfig) -> ExecutorError:
    """Say what a refusal means.

    Args:
        error: What Modal's client raised; none of its texts holds a token.
        config: What was asked for.
    """
    text = _text(error)
    problem, fix = f"Modal refused ({text})", "Mend that, and run again: what is done is not done again."
    if isinstance(error, refused.AuthError):
        problem, fix = f"Modal does not know who is calling ({text})", _ACCOUNT
    elif isinstance(error, refused.PermissionDeniedError):
        problem, fix = f"the token may not do this ({text})", "Use a token of the right workspace."
    elif isinstance(error, refused.ImageBuildError):
        problem = f"the image cannot be built ({text})"
        fix = "Look at the log that `modal image logs` shows, and at `packages`, if you gave any."
    elif isinstance(error, refused.InvalidError):
        asked = f"gpu = {config.gpu!r}, endpoint_gpu = {config.endpoint_gpu!r}, region = {config.region!r}"
        problem = f"Modal does not offer what was asked for ({text})"
        fix = f"Asked for: {asked}. Modal's documentation lists its GPUs and regions."
    elif isinstance(error, refused.ResourceExhaustedError):
        fix = "The workspace is at a limit of its plan: wait, lower `containers`, or raise the limit."
    elif isinstance(error, (refused.ConnectionError, refused.ServiceError, refused.InternalError)):
        problem, fix = (
            f"Modal cannot be reached ({text})",
            "Check the network and Modal's status, and run again.",
        )
    elif isinstance(error, refused.VersionError):
        fix = 'Run: pip install --upgrade "routesdk[modal]".'
    return ExecutorError("modal", problem, fix)


def check_account(config: ModalConfig) -> None:
    """See that there is an account with the secrets that are wanted, before anything is uploaded.

    Raises:
        ExecutorError: There is no token, it is not valid, or there is no secret of a name.
    """
    with telling(config):
        modal.Client.from_env().hello()
        for name in config.secrets:
            try:
                modal.Secret.from_name(name).hydrate()
            except refused.NotFoundError as error:
                fix = f"Make it: modal secret create {name} VARIABLE=VALUE; or take it out of `secrets`."
                raise ExecutorError("modal", f"there is no secret {name!r}", fix) from error


def lost(error: Exception, config: ModalConfig) -> str:
    """Say why a shard has no result.

    Args:
        error: What waiting for it raised.
        config: What was asked for.
    """
    if isinstance(error, refused.FunctionTimeoutError):
        tries = "on its one try" if config.retries == 0 else f"on each of {config.retries + 1} tries"
        return (
            f"it ran longer than {config.timeout_s} s {tries}. Raise timeout_s, or give it smaller shards; "
            f"run again: it goes on from what it has kept"
        )
    if isinstance(error, refused.OutputExpiredError):
        return "its result has expired on Modal. Run again: what it has kept is on the volume"
    if isinstance(error, ExecutorError):
        return str(error)
    if isinstance(error, (refused.RemoteError, refused.InternalFailure, refused.ExecutionError)):
        return f"its container failed: {_text(error)}. Run again: it goes on from what it has kept"
    if isinstance(error, refused.Error):
        return str(explained(error, config))
    return f"{type(error).__name__}: {error}"


def _text(error: Exception) -> str:
    """Return the first line of an error, without the full stop of its end."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].strip().rstrip(".")
