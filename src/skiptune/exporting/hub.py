"""Slim models to and from the Hugging Face hub, with its own client."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

from ..core.errors import InputError, RunError, first_line
from ..models.embedded import EMBEDDED
from .manifest import WEIGHTS, read_manifest
from .plain.record import is_plain, read_record

#: The files of a slim model. None of them is executable.
ALLOWED = ("*.safetensors", "*.json", "*.onnx", "*.txt", "*.md", "*.model", "*.jinja")
_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)


def push_to_hub(
    folder: str | Path,
    repo_id: str,
    private: bool | None = None,
    token: str | None = None,
    commit_message: str = "Slim model exported by skiptune",
    revision: str | None = None,
    create_pr: bool = False,
) -> str:
    """Upload the slim model in ``folder``, with its card, to the hub; the repository is made if there is none.

    Args:
        folder: a directory that :func:`skiptune.export` wrote.
        repo_id: ``user/name``.
        private: whether a new repository is private; ``None``: the account's default.
        token: ``None``: that of ``hf auth login`` or ``HF_TOKEN``.
        commit_message: of the commit.
        revision: the branch; ``None``: the repository's main one.
        create_pr: open a pull request instead.

    Returns:
        The address of the commit.

    Raises:
        InputError: not a slim model, its base is not on the hub, or not the id of a repository.
        RunError: the hub cannot be reached or refuses.
    """
    folder = Path(folder)
    _refuse_incomplete(folder)
    if not is_hub_id(repo_id):
        raise InputError(f"{repo_id!r}: not the id of a repository; expected user/name")
    api = HfApi(token=token)
    try:
        api.create_repo(repo_id, repo_type="model", private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=repo_id,
            folder_path=folder,
            allow_patterns=list(ALLOWED),
            commit_message=commit_message,
            revision=revision,
            create_pr=create_pr,
        )
    except Exception as error:  # the client's own exceptions, and those of its HTTP library
        reason = first_line(error)
        raise RunError(f"{repo_id}: could not be uploaded ({reason}); logged in with `hf auth login`?") from error
    return str(done.commit_url)


def _refuse_incomplete(folder: Path) -> None:
    """Refuse what others could not load: no model, one without weights, or without a base that they have."""
    if is_plain(folder):
        read_record(folder).check_files(folder, verify=False)
        return
    manifest = read_manifest(folder)
    if not (folder / WEIGHTS).is_file():
        raise InputError(f"{folder / WEIGHTS}: no such file; the export is not complete")
    base = manifest.base
    if manifest.form == "adapters" and not (base in EMBEDDED or others_have(base)):
        raise InputError(
            f"{folder}: its base is {base!r}, which others do not have; export it with base='user/name', or standalone"
        )


def local_folder(name: str | Path, revision: str | None = None) -> Path:
    """The directory ``name``, or, where there is none and it may be a hub id, a copy of that repository.

    The copy is kept in the hub's cache and taken from there when nothing has changed, or with ``HF_HUB_OFFLINE=1``.
    ``revision`` is a branch or commit of the repository.

    Raises:
        InputError: neither a directory nor a repository that can be read.
    """
    folder, repo_id = Path(name), Path(name).as_posix()
    if folder.exists() or not is_hub_id(repo_id):
        return folder
    try:
        settings: dict[str, Any] = {} if revision is None else {"revision": revision}
        return Path(snapshot_download(repo_id, allow_patterns=list(ALLOWED), **settings))
    except RepositoryNotFoundError:
        reason = "no such repository on the hub, or a private one of others"
    except LocalEntryNotFoundError:
        reason = "not in the hub's cache, and the hub cannot be asked"
    except Exception as error:  # as above
        reason = f"the hub says: {first_line(error)}"
    raise InputError(f"{repo_id}: no such directory; {reason}")


def is_hub_id(name: str) -> bool:
    """Whether ``name`` can be the id of a repository, ``user/name``, and is no path."""
    return _ID.fullmatch(name) is not None


def others_have(base: str) -> bool:
    """Whether a base is probably on the hub: its name is a hub id, and not a directory of this machine."""
    return is_hub_id(base) and not Path(base).exists()
