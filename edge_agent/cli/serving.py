"""`edge-agent serve`: a house behind HTTP."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Annotated

import typer

from edge_agent.cli.engine_options import (
    BatchSize,
    CacheRam,
    CacheTypeK,
    CacheTypeV,
    Chunk,
    GpuLayers,
    KvTypeName,
    Lora,
    LoraScaled,
    Parallel,
    PrefixDir,
    PrefixDisk,
    Speculate,
    StuckAfter,
    kv_type_of,
    lora_of,
)
from edge_agent.cli.house import House, fetch, furnish
from edge_agent.cli.loaded import limit_of
from edge_agent.cli.options import (
    Backend,
    BackendKeyEnv,
    BackendModel,
    CtxSize,
    Libraries,
    Model,
    ProfileName,
    SearchUrls,
    Seed,
    Threads,
)
from edge_agent.cli.reach import Reach, reach_of
from edge_agent.cli.show import Bar
from edge_agent.cli.terminal import guarded, say, settings_of, stderr
from edge_agent.config import Settings
from edge_agent.server.app import create_app
from edge_agent.server.serve import bind
from edge_agent.server.serve import serve as serve_app
from edge_agent.server.services import Defaults, ServedModel, Services

Host = Annotated[
    str | None,
    typer.Option("--host", help="Address to listen on; 0.0.0.0 is open to the whole network."),
]
Port = Annotated[int | None, typer.Option("--port", help="Port to listen on; 0 takes a free one.")]
ApiKey = Annotated[
    list[str] | None,
    typer.Option("--api-key", help="A key clients must send, or several with commas between."),
]
Alias = Annotated[str | None, typer.Option("--alias", "-a", help="The model's name for clients.")]
TemplateFile = Annotated[
    Path | None,
    typer.Option("--chat-template-file", help="A jinja file instead of the model's own template."),
]
Temp = Annotated[
    float | None, typer.Option("--temp", help="Temperature where a request names none.")
]
Predict = Annotated[
    int | None,
    typer.Option(
        "--n-predict",
        "-n",
        "--predict",
        help="Most tokens of an answer where a request names no limit; -1 fills the window.",
    ),
]


def serve(
    model: Model = None,
    host: Host = None,
    port: Port = None,
    ctx_size: CtxSize = None,
    parallel: Parallel = None,
    batch_size: BatchSize = None,
    threads: Threads = None,
    api_key: ApiKey = None,
    alias: Alias = None,
    chat_template_file: TemplateFile = None,
    n_gpu_layers: GpuLayers = None,
    kv_type: KvTypeName = None,
    cache_type_k: CacheTypeK = None,
    cache_type_v: CacheTypeV = None,
    lora: Lora = None,
    lora_scaled: LoraScaled = None,
    cache_ram: CacheRam = None,
    prefix_dir: PrefixDir = None,
    prefix_disk: PrefixDisk = None,
    speculate: Speculate = None,
    chunk: Chunk = None,
    stuck_after: StuckAfter = None,
    seed: Seed = None,
    temp: Temp = None,
    n_predict: Predict = None,
    library: Libraries = None,
    search: SearchUrls = None,
    backend: Backend = None,
    backend_model: BackendModel = None,
    backend_key_env: BackendKeyEnv = None,
    profile: ProfileName = None,
) -> None:
    """Serve the OpenAI API and /agent/run. Flags mean what llama-server's mean."""
    settings = settings_of(
        model=model,
        host=host,
        port=port,
        ctx_size=ctx_size,
        parallel=parallel,
        batch_size=batch_size,
        threads=threads,
        api_key=tuple(k for keys in api_key or [] for k in keys.split(",") if k) or None,
        alias=alias,
        chat_template_file=chat_template_file,
        n_gpu_layers=n_gpu_layers,
        kv_type=guarded(lambda: kv_type_of(kv_type, cache_type_k, cache_type_v)),
        lora=guarded(lambda: lora_of(lora, lora_scaled)),
        cache_ram=cache_ram,
        prefix_dir=prefix_dir,
        prefix_disk=prefix_disk,
        speculate=speculate,
        chunk=chunk,
        stuck_after=stuck_after,
        seed=seed,
        temp=temp,
        n_predict=n_predict,
        backend=backend,
        backend_model=backend_model,
        backend_key_env=backend_key_env,
        profile=profile,
    )

    def work() -> None:
        reach = reach_of(settings, library or [], search or [])
        with bind(settings.host, settings.port) as listening:
            _serve(settings, reach, listening)

    guarded(work)


def _serve(settings: Settings, reach: Reach, listening: socket.socket) -> None:
    with Bar(stderr()) as bar:
        fetched = fetch(settings, say, bar)

    async def work() -> None:
        async with furnish(fetched, settings, reach, say) as house:
            await serve_house(house, settings, listening)

    asyncio.run(work())


async def serve_house(house: House, settings: Settings, listening: socket.socket) -> None:
    """Serve until a signal ends it, and go on with the runs that were cut off."""
    if cut := house.agent.recover():
        say(f"Going on with {'a run' if len(cut) == 1 else f'{len(cut)} runs'} from before.")
    await serve_app(
        create_app(services_of(house, settings)),
        listening=listening,
        on_ready=lambda url: say(f"{house.chat.name} answers at {url}"),
    )


def services_of(house: House, settings: Settings) -> Services:
    """What the routes stand on."""
    loaded = house.loaded
    served = ServedModel(
        name=loaded.chat.name, aliases=loaded.names, size=loaded.size, n_ctx=loaded.chat.n_ctx
    )
    return Services(
        chat=loaded.chat,
        agent=house.agent,
        runs=house.agent,
        models=[served],
        health=loaded.health,
        api_keys=settings.api_key,
        defaults=Defaults(loaded.sampling, limit_of(settings)),
    )
