"""A model card: what a network is, where its weights come from, what it takes and gives."""

import tomllib
from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import Annotated, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from mien.errors import CardError

CardId: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
Sha256: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Bytes: TypeAlias = Annotated[int, Field(gt=0, le=2**31)]
Axis: TypeAlias = Annotated[int, Field(gt=0)] | Literal["N", "H", "W", "h", "w"]
"""A fixed length, or the letter of a length the caller chooses: N pictures, H x W pixels, h x w cells."""
Dtype: TypeAlias = Literal["float32", "float16", "uint8", "int8", "int32", "int64", "bool"]
"""The type of a tensor's numbers, by NumPy's name."""


OWN_PACKAGE: Final = "package:mien"
"""The source of weights that come with mien."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Part):
    """One place that has the weights.

    Attributes:
        package: `pypi:name==version`, `npm:name@version`, an `https:` URL, or `package:mien` for a file that comes with
            mien, in `registry/weights`.
        file: The name of the file that place gives: a wheel, an sdist, a tarball, or the weights themselves.
        sha256: Its digest.
        bytes: Its length.
        member: The weights' path inside it; None where the file is the weights.
    """

    package: str
    file: str
    sha256: Sha256
    bytes: Bytes
    member: str | None = None

    @property
    def registry(self) -> str:
        """Return `pypi`, `npm`, `https` or `package`."""
        return self.package.partition(":")[0]

    @property
    def requirement(self) -> str:
        """Return the package as its registry's client spells it."""
        return self.package if self.registry == "https" else self.package.partition(":")[2]

    @field_validator("member")
    @classmethod
    def _member_stays_inside(cls, member: str | None) -> str | None:
        if member is not None:
            path = PurePosixPath(member)
            if path.is_absolute() or ".." in path.parts or "\\" in member:
                raise ValueError(f"member must be a path inside the package, got {member!r}")
        return member

    @field_validator("file")
    @classmethod
    def _file_is_a_name(cls, file: str) -> str:
        if PurePosixPath(file).name != file or "\\" in file:
            raise ValueError(f"file must be a plain file name, got {file!r}")
        return file

    @model_validator(mode="after")
    def _package_is_pinned(self) -> "Source":
        if self.registry == "pypi":
            name, pinned, version = self.requirement.partition("==")
            try:
                parse = parse_wheel_filename if self.file.endswith(".whl") else parse_sdist_filename
                parse(self.file)
            except (InvalidWheelFilename, InvalidSdistFilename) as error:
                raise ValueError(f"a pypi source gives a wheel or an sdist: {error}") from error
        elif self.registry == "npm":
            name, pinned, version = self.requirement.rpartition("@")
        elif self.registry == "https":
            url = urlsplit(self.package)
            name, pinned, version = url.netloc, url.path.strip("/"), "this file"
        elif self.package == OWN_PACKAGE:
            name, pinned, version = self.requirement, "is pinned by", "its digest"
        else:
            raise ValueError(f"a source is pypi:, npm: or https:, or {OWN_PACKAGE}, got {self.package!r}")
        if not (name and pinned and version) or name.startswith("-") or any(c.isspace() for c in self.package):
            raise ValueError(f"a source names one version of one package, got {self.package!r}")
        if self.member is None and self.registry not in {"https", "package"}:
            raise ValueError(f"{self.package} needs the `member` that holds the weights")
        return self


class Weights(_Part):
    """The file all sources of a card agree on, as it lies inside the package."""

    sha256: Sha256
    bytes: Bytes


class InputContract(_Part):
    """A picture that a network takes: `(pixels - mean) / scale`, one value for all channels or one for each.

    `size_wh` is None where the network takes any size; its sides are then multiples of `stride`. `tensor` is the name
    in the weights; None where they have one input.
    """

    name: str = "input"
    tensor: str | None = None
    layout: Literal["NCHW", "NHWC"]
    dtype: Dtype = "float32"
    colour: Literal["RGB", "BGR"]
    size_wh: tuple[int, int] | None = None
    stride: Annotated[int, Field(gt=0)] = 1
    mean: float | tuple[float, float, float]
    scale: float

    @property
    def shape(self) -> tuple[Axis, ...]:
        """Return the batch's shape, letters where the caller chooses."""
        width: Axis
        height: Axis
        width, height = ("W", "H") if self.size_wh is None else self.size_wh
        return ("N", 3, height, width) if self.layout == "NCHW" else ("N", height, width, 3)


class TensorContract(_Part):
    """A tensor that is no picture: `name` for us, `tensor` for the name in the weights, its type and shape."""

    name: str
    tensor: str
    dtype: Dtype = "float32"
    shape: tuple[Axis, ...]
    meaning: str


class Card(_Part):
    """Everything mien knows about one network. Without a card nothing is loaded.

    Attributes:
        id: The name of the card and of its file.
        default: True where `mien models pull` without names fetches it.
        conversion: How the weights become ONNX.
        licence: SPDX expression for the weights.
        provenance: Who trained it, and on what, as far as anyone says.
        limits: What it is known to do badly.
        sources: Where to look, in order.
        input: The picture that it takes; None where it takes none.
        inputs: What it takes beside the picture.
        outputs: What it gives.
    """

    id: CardId
    title: str
    use: Literal["detector", "landmarks", "embedder", "occlusion"]
    default: bool = False
    conversion: Literal["tflite", "dlib", "onnx"]
    licence: str
    provenance: str
    limits: tuple[str, ...] = Field(min_length=1)
    weights: Weights
    sources: tuple[Source, ...] = Field(min_length=1)
    input: InputContract | None = None
    inputs: tuple[TensorContract, ...] = ()
    outputs: tuple[TensorContract, ...] = Field(min_length=1)

    @property
    def takes(self) -> tuple[InputContract | TensorContract, ...]:
        """Return everything that it takes, the picture first."""
        return self.inputs if self.input is None else (self.input, *self.inputs)

    @property
    def image_input(self) -> InputContract:
        """Return the image that it takes, for what knows networks of one image alone.

        Raises:
            CardError: It takes something else, or more.
        """
        if self.input is None or self.inputs:
            raise CardError(f"{self.id} takes {[given.name for given in self.takes]}, not one picture")
        return self.input

    @model_validator(mode="after")
    def _edges_have_names(self) -> "Card":
        if not self.takes:
            raise ValueError("a network takes something: [input] is a picture, [[inputs]] are other tensors")
        if self.inputs and self.input is not None and self.input.tensor is None:
            raise ValueError("of several inputs each names its tensor in the weights; [input] does not")
        for edge in (self.takes, self.outputs):
            names = [tensor.name for tensor in edge]
            if len(set(names)) < len(names):
                raise ValueError(f"two tensors have one name: {names}")
        return self

    @model_validator(mode="after")
    def _loose_files_are_the_weights(self) -> "Card":
        for source in self.sources:
            if source.member is None and (source.sha256, source.bytes) != (self.weights.sha256, self.weights.bytes):
                raise ValueError(f"{source.package} has no member, so its digest must be that of the weights")
        return self


def read_card(text: str, *, name: str) -> Card:
    """Read one card.

    Args:
        text: TOML.
        name: The id it must carry: its file's name without `.toml`.

    Raises:
        CardError: The text is not TOML, a key is missing, unknown or wrong, or the id is another one.
    """
    try:
        card = Card.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise CardError(f"model card {name!r} is not TOML: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'card'}: {e['msg']}" for e in error.errors())
        raise CardError(f"model card {name!r} is wrong: {wrong}") from error
    if card.id != name:
        raise CardError(f"model card {name!r} carries the id {card.id!r}; it must be its file's name")
    return card


def load_cards(folder: Traversable | None = None) -> dict[str, Card]:
    """Read all cards of `folder`, by id; without a folder, those that come with mien.

    Raises:
        CardError: One of them is malformed.

    Example:
        >>> load_cards()["face-mesh"].input.size_wh
        (192, 192)
    """
    folder = files("mien.inference") / "cards" if folder is None else folder
    toml: Iterable[Traversable] = (entry for entry in folder.iterdir() if entry.name.endswith(".toml"))
    cards = (read_card(entry.read_text("utf-8"), name=entry.name.removesuffix(".toml")) for entry in toml)
    return {card.id: card for card in sorted(cards, key=lambda card: card.id)}
