"""Load a slim model, ready for inference. Loading needs no training code."""

from __future__ import annotations

from pathlib import Path

from transformers import PreTrainedModel
from transformers.utils import GENERATION_CONFIG_NAME

from ..core.errors import InputError
from ..core.files import file_sha256
from ..inserting.adapted_class import adapt_class
from ..inserting.load_saved import load_saved
from ..inserting.saved_model import is_saved
from ..models.generation_files import read_generation
from .hub import local_folder
from .manifest import OBEYED, WEIGHTS, Manifest, read_manifest
from .plain.load import load_plain
from .plain.record import is_plain
from .slim_class import SlimModel
from .structure import load_on_base, load_standalone
from .tensor_file import data_is_whole, header_sha256, map_tensors


def load(
    directory: str | Path,
    base: str | None = None,
    verify: bool = False,
    model_class: type[PreTrainedModel] | None = None,
) -> PreTrainedModel:
    """Load a slim model, ready for inference.

    The weights' file is memory-mapped, and skipped blocks are neither read nor allocated. Every load checks the
    configuration and how answers are generated; the header of the weights' file (names, types, sizes, digest of the
    data) and the file's length, which refuses a truncated file, a file of another export or an edited header; and for
    ``adapters`` the base's frozen weights by names, types, sizes and some numbers of each, which refuses another model
    or one that was trained further. With ``verify``, every byte of the weights' file and of the base's kept blocks is
    compared, which takes several times as long (exports of version 0.2 are always compared so).

    A directory of ``save_pretrained`` is read too, also one of a model whose blocks are all there: as it was, to be
    trained further. So is a plain checkpoint, as transformers has it.

    Args:
        directory: a directory that :func:`export` or ``save_pretrained`` wrote, or a hub id, ``user/name``.
        base: another place of the base model, for the ``adapters`` form.
        verify: compare all weights with the digests taken at export.
        model_class: the class of the model, where it is one of your own: the directory only names it.

    Raises:
        InputError: not a slim model, truncated or edited files, keys that do not fit, or another base than it was
            trained on (the message gives both fingerprints).
    """
    folder = local_folder(directory)
    if is_saved(folder):
        if base is not None:
            raise InputError(f"{folder}: it stands alone and takes no base")
        return load_saved(folder, model_class)
    if is_plain(folder):
        if base is not None:
            raise InputError(f"{folder}: it stands alone and takes no base")
        return load_plain(folder, verify, model_class)
    manifest, weights = open_export(folder, verify)
    state = map_tensors(weights)
    try:
        manifest.take_class(model_class)
        if manifest.form == "standalone" and base is not None:
            raise InputError("it stands alone and takes no base")
        model = (
            load_standalone(manifest, state)
            if manifest.form == "standalone"
            else load_on_base(manifest, state, base, verify)
        )
    except InputError as error:
        raise InputError(f"slim model {folder}: {error}") from None
    read_generation(model, folder)
    model.skip_config, model.manifest = manifest.skip_config, manifest
    adapt_class(model, SlimModel)
    model.requires_grad_(False)
    return model.eval()


def open_export(folder: Path, verify: bool = False) -> tuple[Manifest, Path]:
    """The configuration of a slim directory, and the file of its weights, checked as :func:`load` says.

    Raises:
        InputError: not a slim model, or truncated or edited files.
    """
    manifest, weights = read_manifest(folder), folder / WEIGHTS
    if not weights.is_file():
        raise InputError(f"{weights}: no such file; the export is not complete")
    _check_weights(weights, manifest, verify)
    manifest.check_files(folder, OBEYED if verify else (GENERATION_CONFIG_NAME,))
    return manifest, weights


def _check_weights(weights: Path, manifest: Manifest, verify: bool) -> None:
    """Refuse a weights' file that is not the exported one."""
    if manifest.format == 1:
        same = file_sha256(weights) == manifest.weights_sha256
    else:
        same = header_sha256(weights) == manifest.header_sha256 and (not verify or data_is_whole(weights))
    if not same:
        raise InputError(f"{weights}: differs from what was exported (SHA-256); truncated or edited? Export it again")
