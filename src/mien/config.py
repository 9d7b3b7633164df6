"""Settings: one frozen tree, read once from the environment (`MIEN_...`) and passed down as plain values."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from platformdirs import user_cache_path, user_data_path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from mien.bearer import BearerToken
from mien.setting_forms import Listed, announced, network, path_prefix, port_range

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class IceServerSettings(BaseModel):
    """One STUN or TURN server."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(
        pattern=r"^(stun|stuns|turn|turns):[A-Za-z0-9.:\[\]_-]+(\?transport=(udp|tcp))?$",
        description="As in `stun:host:port` or `turn:host:port?transport=udp`.",
    )
    username: str | None = Field(default=None, description="User name, for TURN.")
    credential: SecretStr | None = Field(default=None, description="Password, for TURN.")


class TurnSettings(BaseModel):
    """A TURN server of the operator's own, with which every session gets credentials that end by themselves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    urls: Listed[
        tuple[Annotated[str, StringConstraints(pattern=r"^turns?:[A-Za-z0-9.:\[\]_-]+(\?transport=(udp|tcp))?$")], ...]
    ] = Field(default=(), description="As in `turn:host:3478?transport=udp`, the best first; none.")
    secret: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Shared with the TURN server (coturn's `static-auth-secret`); clients never see it.",
    )
    ttl_s: int = Field(default=600, ge=60, le=86_400, description="So long a session's credentials open new relays.")

    @model_validator(mode="after")
    def _has_both(self) -> Self:
        if bool(self.urls) != (self.secret is not None):
            raise ValueError("a TURN server needs both urls and secret")
        return self


class LiveSettings(BaseModel):
    """How live sessions behave."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    spare_workers: int = Field(
        default=1, ge=0, le=64, description="Keep so many processes ready, models loaded, for the next broadcast."
    )
    max_broadcasts: int = Field(default=8, ge=1, le=1000, description="Refuse new broadcasts above this number.")
    max_viewers: int = Field(default=64, ge=1, le=10_000, description="Refuse new viewers of a broadcast above this.")
    max_pixels: int = Field(default=1920 * 1088, ge=64 * 64, description="Larger frames of a publisher are refused.")
    profile: Literal["auto", "full", "lean", "hd", "medium", "small", "slow", "slower", "mosaic"] = Field(
        default="auto", description="Begin with this profile and never rise above; `auto`: with what fits the machine."
    )
    shed_load: bool = Field(
        default=True,
        description="Whether less is done for each frame where the machine is too slow; else they come more seldom.",
    )
    slate_after_s: float = Field(
        default=2.0, gt=0, le=30, description="Keep the last safe frame so long when no new one comes."
    )
    hang_after_s: float = Field(
        default=5.0, gt=0, le=120, description="Give up a pipeline that takes longer for one frame."
    )
    publisher_timeout_s: float = Field(
        default=15.0, gt=0, le=600, description="A publisher who sends no frame for so long is gone."
    )
    viewer_grace_s: float = Field(
        default=10.0, ge=0, le=600, description="Viewers see the slate so long after the publisher left."
    )
    idle_timeout_s: float = Field(
        default=600.0, gt=0, description="A broadcast without a publisher ends after this time."
    )
    codecs: Listed[tuple[Literal["VP8", "H264"], ...]] = Field(
        default=("VP8",),
        min_length=1,
        description="Video codecs that broadcasts may be sent in, the preferred one first. One is chosen for each "
        "broadcast from what its publisher and its first viewer can take; not every browser takes H264.",
    )
    codec_devices: Listed[tuple[Literal["cuda", "vaapi", "qsv", "videotoolbox"], ...]] = Field(
        default=(),
        description="Video engines of graphics processors that publishers' pictures are decoded on, and broadcasts in "
        "H264 encoded on, the preferred one first; software does what none of them does.",
    )
    push_networks: Listed[tuple[str, ...]] = Field(
        default=(),
        description="Networks, as in `10.0.0.0/8`, that broadcasts may be pushed to although they are not public.",
    )
    start_kbps: int = Field(default=2000, ge=100, le=20_000, description="Bit rate a browser begins to publish with.")
    max_kbps: int = Field(default=4000, ge=100, le=50_000, description="Bit rate a browser publishes with at most.")
    bind_to: Listed[tuple[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:/_@-]{1,64}$")], ...]] = Field(
        default=(),
        description="Addresses, networks (`10.0.0.0/8`) or interfaces (`eth0`) that media use; by default all but "
        "the loopback, or that alone where there is no other.",
    )
    public_addresses: Listed[tuple[Annotated[str, AfterValidator(announced)], ...]] = Field(
        default=(),
        description="Announced instead of the machine's own, where a cloud maps one to the other; "
        "`PUBLIC/LOCAL` maps a single one.",
    )
    udp_ports: Annotated[str, StringConstraints(pattern=r"^\d{4,5}-\d{4,5}$"), AfterValidator(port_range)] | None = (
        Field(default=None, description="Ports that media use, as in `50000-50100`; by default any.")
    )
    peer_networks: Listed[tuple[Annotated[str, AfterValidator(network)], ...]] = Field(
        default=(),
        description="Networks, as in `10.0.0.0/8`, that publishers and viewers may name addresses of although they are "
        "neither public nor the ones that media listen in.",
    )


class MosaicSettings(BaseModel):
    """How faces are hidden where nobody says how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    style: Literal["cells", "solid", "blur"] = Field(
        default="cells", description="How hidden faces are painted over; none of the styles holds anything of them."
    )
    shape: Literal["box", "head"] = Field(
        default="box", description="The face and a margin, or the head's oval with hair line and ears."
    )


class FramesSettings(BaseModel):
    """Frames over a WebSocket, for clients that cannot do WebRTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_sessions: int = Field(default=4, ge=0, le=1000, description="Refuse new sessions above this; 0 turns it off.")
    max_bytes: int = Field(default=2 * 2**20, ge=1024, le=16 * 2**20, description="Refuse larger frames.")
    max_fps: float = Field(default=30.0, gt=0, le=240, description="Drop what a client sends faster than this.")
    idle_timeout_s: float = Field(default=30.0, gt=0, description="A client that sends nothing for so long is gone.")


class ReferenceSettings(BaseModel):
    """Photos lent as personas; they stay in memory only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_count: int = Field(default=64, ge=1, le=10_000, description="Keep at most so many photos.")
    max_bytes: int = Field(default=12 * 2**20, ge=1024, le=64 * 2**20, description="Refuse larger photos.")
    ttl_s: float = Field(default=4 * 3600.0, gt=0, description="Forget a photo that nobody used for so long.")
    max_pixels: int = Field(
        default=24_000_000, ge=64 * 64, le=80_000_000, description="Refuse photos of more pixels, by their header."
    )
    max_memory_bytes: int = Field(
        default=1536 * 2**20,
        ge=2**30,
        description="Memory of the process that reads a face's photos; raise it together with max_pixels.",
    )
    timeout_s: float = Field(default=60.0, gt=0, le=600, description="Give up photos that take longer to be read.")
    readers: int = Field(default=1, ge=1, le=8, description="Read the photos of so many faces at a time.")
    waiting: int = Field(default=3, ge=0, le=64, description="So many more uploads may wait; refuse further ones.")


class HttpSettings(BaseModel):
    """What strangers' connections and requests may take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    head_timeout_s: float = Field(
        default=10.0, gt=0, le=600, description="Close a connection whose request's head takes longer."
    )
    body_timeout_s: float = Field(
        default=30.0,
        gt=0,
        le=600,
        description="Refuse a request whose body takes longer; photos get more by their size.",
    )
    body_pause_s: float = Field(
        default=10.0, gt=0, le=600, description="Refuse a request whose body does not go on for so long."
    )
    write_pause_s: float = Field(
        default=30.0,
        gt=0,
        le=600,
        description="Close a connection whose client takes nothing of an answer for so long.",
    )
    max_connections_per_address: int = Field(
        default=512, ge=1, le=100_000, description="Close further connections of an address."
    )
    max_waiting_per_address: int = Field(
        default=64, ge=1, le=100_000, description="How many of them may be without a request; the oldest is closed."
    )
    max_offers_per_address: int = Field(
        default=128, ge=1, le=100_000, description="Viewers of one address may make so many offers at once."
    )
    offers_per_s_per_address: float = Field(
        default=4.0, gt=0, le=10_000, description="And so many a second in the long run."
    )
    work_s_per_address: float = Field(
        default=10.0,
        gt=0,
        le=10_000,
        description="Requests of one address without a token may take so many seconds of a processor at once.",
    )
    work_share_per_address: float = Field(
        default=0.2, gt=0, le=1000, description="And such a share of a processor in the long run."
    )


class RecordingSettings(BaseModel):
    """Recordings of treated broadcasts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(default=True, description="Whether broadcasters may record what their viewers get.")
    max_bytes: int = Field(
        default=8 * 2**30, ge=2**20, description="A recording ends when its files have so many bytes."
    )
    max_s: float = Field(default=6 * 3600.0, gt=0, description="A recording ends after so long.")


class InferenceSettings(BaseModel):
    """Where networks run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    providers: Listed[tuple[str, ...]] = Field(
        default=("cpu",),
        min_length=1,
        description="onnxruntime's execution providers, the preferred one first, such as `cuda` and `cpu`. What this "
        "installation lacks is refused. Photos are always read on the processor.",
    )


class LogSettings(BaseModel):
    """What is logged, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="Least level to log.")
    form: Literal["console", "json"] = Field(default="console", description="For people, or for machines.")


class Settings(BaseSettings):
    """Everything that can be set, in the environment or by arguments."""

    model_config = SettingsConfigDict(
        env_prefix="MIEN_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        nested_model_default_partial_update=True,
    )

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on.")
    whip_token: BearerToken | None = Field(
        default=None,
        min_length=16,
        description="The operator's token. When set, making broadcasts and adding photos needs it; when the "
        "server listens beyond this machine, it must be set. Visible ASCII characters.",
    )
    ice_servers: tuple[IceServerSettings, ...] = Field(
        default=(),
        description="STUN and TURN servers, for our own peers and, by Link headers, for clients; none.",
    )
    turn: TurnSettings = Field(default=TurnSettings(), description="A TURN server for clients.")
    allowed_hosts: Listed[tuple[str, ...]] = Field(
        default=(),
        description="Host names the server answers to; by default this machine's own when it listens only to "
        "itself, else any.",
    )
    trusted_proxies: Listed[tuple[Annotated[str, AfterValidator(network)], ...]] = Field(
        default=("127.0.0.0/8", "::1/128"),
        description="Reverse proxies, as addresses or networks, whose `X-Forwarded-*` and `Forwarded` are believed.",
    )
    root_path: Annotated[str, AfterValidator(path_prefix)] = Field(
        default="",
        description="The path below which a proxy serves mien, as in `/mien`, whether or not the proxy strips it.",
    )
    trust_forwarded_prefix: bool | None = Field(
        default=None,
        description="Whether a proxy's `X-Forwarded-Prefix` header says that path; by default where the server "
        "listens to its own machine alone.",
    )
    data_dir: Path = Field(
        default_factory=lambda: user_data_path("mien"),
        description="Where declarations of consent and recordings are kept.",
    )
    models_dir: Path = Field(
        default_factory=lambda: user_cache_path("mien") / "models", description="Where models are cached."
    )
    live: LiveSettings = Field(default=LiveSettings(), description="How live sessions behave.")
    mosaic: MosaicSettings = Field(default=MosaicSettings(), description="How faces are hidden where nobody says how.")
    frames: FramesSettings = Field(default=FramesSettings(), description="Frames over a WebSocket.")
    http: HttpSettings = Field(default=HttpSettings(), description="What connections and requests may take.")
    recordings: RecordingSettings = Field(default=RecordingSettings(), description="Recordings of treated broadcasts.")
    references: ReferenceSettings = Field(default=ReferenceSettings(), description="Photos lent as personas.")
    inference: InferenceSettings = Field(default=InferenceSettings(), description="Where networks run.")
    log: LogSettings = Field(default=LogSettings(), description="What is logged, and how.")

    @property
    def recordings_dir(self) -> Path | None:
        """Where recordings go; None where there are none."""
        return self.data_dir / "recordings" if self.recordings.enabled else None

    @property
    def believes_forwarded_prefix(self) -> bool:
        """Whether the `X-Forwarded-Prefix` header counts."""
        return self.is_local if self.trust_forwarded_prefix is None else self.trust_forwarded_prefix

    @property
    def is_local(self) -> bool:
        """Whether the server listens to this machine alone."""
        if self.host in LOOPBACK_NAMES:
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False
