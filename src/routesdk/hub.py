"""Checkpoints on the Hugging Face Hub."""

from __future__ import annotations

import os
from pathlib import Path

from routesdk.checkpoint import CARD, MANIFEST
from routesdk.errors import CheckpointError


def download_checkpoint(repo_id: str, *, revision: str | None = None) -> Path:
    """Fetch a checkpoint into the Hub's own cache, and return the folder.

    Args:
        repo_id: `owner/name` on the Hub.
        revision: Branch, tag or commit; None takes the default branch.

    Raises:
        CheckpointError: The repository, the revision or the network is not there.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    where = f"{repo_id}@{revision}" if revision else repo_id
    try:
        folder = snapshot_download(repo_id, revision=revision, allow_patterns=[MANIFEST, CARD, "model-*/*"])
    except HFValidationError as error:
        fix = "Give a bundled name, a folder that exists, or a Hub id such as 'owner/name'."
        raise CheckpointError(
            where, "is neither a bundled router, nor a folder, nor a Hub id", fix
        ) from error
    except LocalEntryNotFoundError as error:
        fix = "Go online once, or give a folder."
        raise CheckpointError(where, "is not in the cache, and the Hub cannot be reached", fix) from error
    except (_transport_error(), OSError) as error:
        first_line = str(error).strip().partition("\n")[0]
        fix = "Check the name and the revision; for a private one, log in with `hf auth login`."
        raise CheckpointError(where, f"cannot be fetched from the Hub ({first_line})", fix) from error
    return Path(folder)


def upload_checkpoint(
    folder: str | os.PathLike[str], repo_id: str, *, private: bool = False, message: str = ""
) -> str:
    """Put a checkpoint on the Hub; the repository is made if it is missing.

    Args:
        folder: A checkpoint that was written by `save_pretrained`.
        repo_id: `owner/name` on the Hub.
        private: Whether a repository that is made is private.
        message: The commit's message.

    Returns:
        The address of the commit.

    Raises:
        CheckpointError: The Hub refuses, or cannot be reached.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError

    api = HfApi()
    try:
        api.create_repo(repo_id, private=private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repo_id,
            folder_path=Path(folder),
            allow_patterns=[MANIFEST, CARD, "model-*/*"],
            delete_patterns=["model-*/*"],
            commit_message=message or "Upload a routesdk router",
        )
    except (_transport_error(), HFValidationError, OSError) as error:
        first_line = str(error).strip().partition("\n")[0]
        fix = "Log in with `hf auth login`, and check that you may write there."
        raise CheckpointError(repo_id, f"cannot be put on the Hub ({first_line})", fix) from error
    return str(commit.commit_url)


def _transport_error() -> type[Exception]:
    """Return the error that the Hub's client raises when a connection fails; it is no `OSError`."""
    from huggingface_hub import errors

    # Of httpx in one major version, of its successor in the next: only the Hub's client knows which.
    kind: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]
    return kind
