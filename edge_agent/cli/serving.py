"""`edge-agent serve`: a house behind HTTP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from edge_agent.agent.runs.supervisor import Supervisor
from edge_agent.cli.capabilities import capabilities_of
from edge_agent.cli.door import all_keys, door_of, opened_doors
from edge_agent.cli.door_options import (
    Alias,
    AllowAnyone,
    ApiKey,
    ApiKeyFile,
    CorsOrigins,
    Host,
    KvUnified,
    McpServers,
    Metrics,
    Port,
    Predict,
    Reasoning,
    ReasoningFormat,
    RequestsPerKey,
    SleepIdle,
    Slots,
    SlotSavePath,
    Tags,
    Temp,
    Template,
    TemplateFile,
    Tools,
    Verbose,
    given_keys,
    words_of,
)
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
from edge_agent.cli.loaded import aliases_of, limit_of
from edge_agent.cli.options import (
    Backend,
    BackendKeyEnv,
    BackendModel,
    CtxSize,
    Libraries,
    Model,
    ProfileName,
    Python,
    SearchUrls,
    Seed,
    Threads,
)
from edge_agent.cli.reach import Reach, reach_of
from edge_agent.cli.show import Bar
from edge_agent.cli.terminal import guarded, say, settings_of, stderr
from edge_agent.cli.workbench import bench_of
from edge_agent.config import Settings
from edge_agent.server.app import create_app
from edge_agent.server.device.device import Device
from edge_agent.server.responses.desk import AT_ONCE, Desk
from edge_agent.server.responses.responses import recover
from edge_agent.server.serve import serve as serve_app
from edge_agent.server.services import Defaults, Door, ServedModel, Services
from edge_agent.store.responses import open_responses
from edge_agent.tools.mcp.desk import ApprovalDesk
from edge_agent.tools.mcp.servers import read_servers


def serve(
    model: Model = None,
    host: Host = None,
    port: Port = None,
    ctx_size: CtxSize = None,
    parallel: Parallel = None,
    kv_unified: KvUnified = None,
    batch_size: BatchSize = None,
    threads: Threads = None,
    api_key: ApiKey = None,
    api_key_file: ApiKeyFile = None,
    allow_anyone: AllowAnyone = None,
    requests_per_key: RequestsPerKey = None,
    cors_origins: CorsOrigins = None,
    alias: Alias = None,
    tags: Tags = None,
    chat_template: Template = None,
    chat_template_file: TemplateFile = None,
    reasoning: Reasoning = None,
    reasoning_format: ReasoningFormat = None,
    n_gpu_layers: GpuLayers = None,
    kv_type: KvTypeName = None,
    cache_type_k: CacheTypeK = None,
    cache_type_v: CacheTypeV = None,
    lora: Lora = None,
    lora_scaled: LoraScaled = None,
    cache_ram: CacheRam = None,
    prefix_dir: PrefixDir = None,
    slot_save_path: SlotSavePath = None,
    prefix_disk: PrefixDisk = None,
    speculate: Speculate = None,
    chunk: Chunk = None,
    stuck_after: StuckAfter = None,
    sleep_idle_seconds: SleepIdle = None,
    metrics: Metrics = None,
    slots: Slots = None,
    verbose: Verbose = None,
    seed: Seed = None,
    temp: Temp = None,
    n_predict: Predict = None,
    tools: Tools = None,
    mcp_servers_config: McpServers = None,
    python: Python = None,
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
        kv_unified=kv_unified,
        batch_size=batch_size,
        threads=threads,
        api_key=guarded(lambda: given_keys(api_key)),
        api_key_file=api_key_file,
        allow_anyone=allow_anyone,
        requests_per_key=requests_per_key,
        cors_origins=words_of(cors_origins),
        alias=alias,
        tags=words_of(tags),
        chat_template=chat_template,
        chat_template_file=chat_template_file,
        reasoning=reasoning,
        reasoning_format=reasoning_format,
        n_gpu_layers=n_gpu_layers,
        kv_type=guarded(lambda: kv_type_of(kv_type, cache_type_k, cache_type_v)),
        lora=guarded(lambda: lora_of(lora, lora_scaled)),
        cache_ram=cache_ram,
        prefix_dir=prefix_dir or slot_save_path,
        prefix_disk=prefix_disk,
        speculate=speculate,
        chunk=chunk,
        stuck_after=stuck_after,
        sleep_idle_seconds=sleep_idle_seconds,
        metrics=metrics,
        slots=slots,
        verbose=verbose,
        seed=seed,
        temp=temp,
        n_predict=n_predict,
        tools=words_of(tools),
        mcp_servers_config=mcp_servers_config,
        python_tool=python,
        backend=backend,
        backend_model=backend_model,
        backend_key_env=backend_key_env,
        profile=profile,
    )

    def work() -> None:
        reach = reach_of(settings, library or [], search or [])
        read_servers(settings.mcp_servers_config)  # a broken file is told before a model is loaded
        with opened_doors(settings) as doors:
            _serve(settings, reach, doors)

    guarded(work)


def _serve(settings: Settings, reach: Reach, doors: Sequence[socket.socket]) -> None:
    with Bar(stderr()) as bar:
        fetched = fetch(settings, say, bar)

    async def work() -> None:
        desk = ApprovalDesk()
        async with furnish(fetched, settings, reach, say, desk) as house:
            await serve_house(house, settings, doors, desk)

    asyncio.run(work())


async def serve_house(
    house: House, settings: Settings, doors: Sequence[socket.socket], desk: ApprovalDesk
) -> None:
    """Serve until a signal ends it, and go on with the runs that were cut off."""
    if cut := house.agent.recover():
        say(f"Going on with {'a run' if len(cut) == 1 else f'{len(cut)} runs'} from before.")
    async with kept_responses(settings, house.loaded.device) as responses:
        services = services_of(house, settings, door_of(settings, doors), responses, desk)
        if again := recover(services):
            say(f"Writing {'a response' if again == 1 else f'{again} responses'} anew.")
        await serve_app(
            create_app(services),
            listening=doors,
            on_ready=lambda url: say(f"{house.chat.name} answers at {url}"),
            on_stop=house.extras.hub.hang_up,
        )


@asynccontextmanager
async def kept_responses(settings: Settings, device: Device) -> AsyncIterator[Desk]:
    """Where the responses of /v1/responses are kept, while the block runs. Raises StoreError."""
    store = open_responses(settings.data_dir / "responses.sqlite")
    desk = Desk(store, Supervisor(AT_ONCE, device.use, settings.requests_per_key))
    try:
        yield desk
    finally:
        await desk.close()
        store.close()


def services_of(
    house: House,
    settings: Settings,
    door: Door,
    responses: Desk | None = None,
    approvals: ApprovalDesk | None = None,
) -> Services:
    """What the routes stand on."""
    loaded = house.loaded
    given = aliases_of(settings)
    served = ServedModel(
        name=loaded.chat.name,
        aliases=given or loaded.names,
        also=loaded.names,
        size=loaded.size,
        n_ctx=loaded.chat.n_ctx,
        tags=settings.tags,
        capabilities=capabilities_of(loaded.texts, house.embeddings is not None),
        meta=loaded.meta,
    )
    return Services(
        chat=loaded.chat,
        agent=house.agent,
        runs=house.agent,
        models=[served],
        health=loaded.health,
        api_keys=all_keys(settings),
        defaults=Defaults(
            loaded.sampling,
            limit_of(settings),
            {"on": True, "off": False}.get(settings.reasoning),
            settings.reasoning_format,
        ),
        texts=loaded.texts,
        verbose=settings.verbose,
        door=door,
        device=loaded.device,
        shows_metrics=settings.metrics,
        shows_slots=settings.slots,
        embeddings=house.embeddings,
        responses=responses,
        tools=bench_of(house, settings),
        approvals=approvals if house.extras.hub.links else None,
    )
