"""Runs llama.cpp's server from the package xllamacpp until the process is ended.

A script of its own, because the package may live in another environment than this program's:
PYTHON peer_xllamacpp.py MODEL N_CTX N_PARALLEL N_BATCH N_THREADS N_GPU_LAYERS KV_TYPE
"""

from __future__ import annotations

import signal
import sys

import xllamacpp


def params_of(arguments: list[str]) -> xllamacpp.CommonParams:
    """What the bench asks for; everything else as llama-server has it."""
    path, *numbers, kv_type = arguments
    n_ctx, n_parallel, n_batch, n_threads, n_gpu_layers = map(int, numbers)
    params = xllamacpp.CommonParams()
    params.model.path = path
    params.n_ctx, params.n_parallel, params.kv_unified = n_ctx, n_parallel, True
    params.n_batch = params.n_ubatch = n_batch
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = n_threads
    params.n_gpu_layers = n_gpu_layers
    cells = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{kv_type.upper()}")
    params.cache_type_k = params.cache_type_v = cells
    params.hostnames, params.port = ["127.0.0.1"], 0
    return params


def main() -> None:
    server = xllamacpp.Server(params_of(sys.argv[1:]))
    print(f"\npeer answers at {server.listening_address}", file=sys.stderr, flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main()
