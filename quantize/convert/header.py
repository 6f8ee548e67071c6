"""What the GGUF says about the model beside its weights: the keys of llama.cpp's converter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import gguf
from gguf import GGUFWriter, LlamaFileType

from edge_agent.errors import BadModelFile
from quantize.checkpoint.folder import read_json
from quantize.convert.family import Family, Hparams
from quantize.convert.plan import Planned
from quantize.convert.rope import write_rope


def write_about(writer: GGUFWriter, folder: Path, tensors: Sequence[Planned]) -> None:
    """Name, size, licence, origin and recommended sampling, as far as the folder tells them.

    Raises BadModelFile where README.md or generation_config.json cannot be read.
    """
    total = sum(math.prod(tensor.shape) for tensor in tensors)
    try:
        about = gguf.Metadata.load(None, folder, None, total)
    except Exception as error:  # of the YAML reader among others
        reason = str(error).splitlines()[0]
        raise BadModelFile(f"The description in {folder} cannot be read: {reason}") from None
    about.name = about.name or folder.name
    about.size_label = about.size_label or gguf.size_label(total, total, 0, 0)
    generation = folder / "generation_config.json"
    if about.sampling_penalty_repeat is None and generation.is_file():
        about.sampling_penalty_repeat = read_json(generation).get("repetition_penalty")
    writer.add_type(gguf.GGUFType.MODEL)
    about.set_gguf_meta_model(writer)


def write_hparams(
    writer: GGUFWriter, family: Family, hparams: Hparams, file_type: LlamaFileType
) -> None:
    """The numbers that llama.cpp builds its graph from."""
    writer.add_block_count(hparams.n_layers)
    if hparams.n_ctx is not None:
        writer.add_context_length(hparams.n_ctx)
    writer.add_embedding_length(hparams.width)
    writer.add_feed_forward_length(hparams.feed_forward)
    writer.add_head_count(hparams.n_heads)
    writer.add_head_count_kv(hparams.n_kv_heads)
    write_rope(writer, hparams)
    writer.add_layer_norm_rms_eps(hparams.rms_eps)
    if hparams.head_width_told:
        writer.add_key_length(hparams.head_width)
        writer.add_value_length(hparams.head_width)
    writer.add_file_type(file_type)
    if family.llama_keys:
        writer.add_vocab_size(hparams.n_vocab)
        writer.add_rope_dimension_count(hparams.head_width)
    if hparams.scales:
        embedding, residual, logit = hparams.scales
        writer.add_embedding_scale(embedding)
        writer.add_residual_scale(residual)
        writer.add_logit_scale(logit)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
