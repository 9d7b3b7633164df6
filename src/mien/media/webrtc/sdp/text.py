"""The text of session descriptions (RFC 8866): a strict reader, and a writer of what was read.

What was read is never handed on as text: whoever filters a description writes the rest anew, so that no other parser
can find more in it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from mien.errors import SdpError, SdpLimitError
from mien.media.webrtc.sdp.limits import MAX_FORMATS, MAX_SECTIONS, check_count, check_value, split_lines

_NAME: Final = r"[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]{1,64}"  # RFC 8866, 9
_MEDIA: Final = re.compile(
    rf"m=({_NAME}) ([0-9]{{1,5}})(?:/[0-9]{{1,5}})? ({_NAME}(?:/{_NAME}){{0,5}}) ([!-~]{{1,256}}(?: [!-~]{{1,256}})*)"
)
_ATTRIBUTE: Final = re.compile(rf"a=({_NAME})(?::(.*))?")
_LINE: Final = re.compile(r"[a-z]=")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One line `a=name` or `a=name:value`."""

    name: str
    value: str | None = None

    def __str__(self) -> str:
        return f"a={self.name}" if self.value is None else f"a={self.name}:{self.value}"


class _Attributed:
    """What has attributes."""

    attributes: list[Attribute]

    def all(self, name: str) -> Iterator[str]:
        """Yield the values of the attributes of that name; empty where an attribute has none."""
        return (attribute.value or "" for attribute in self.attributes if attribute.name == name)

    def first(self, name: str) -> str | None:
        """Return the value of the first attribute of that name, or None."""
        return next(self.all(name), None)

    def has(self, name: str) -> bool:
        """Tell whether there is an attribute of that name."""
        return any(attribute.name == name for attribute in self.attributes)


@dataclass(slots=True, eq=False)
class Section(_Attributed):
    """One media section.

    Attributes:
        kind: "audio", "video", "application" or another token.
        port: 0 where it is refused, or bundled alone.
        protocol: As in "UDP/TLS/RTP/SAVPF".
        formats: Payload types, mostly.
        attributes: In order.
        connection: The value of its `c=` line, or None.
    """

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    attributes: list[Attribute] = field(default_factory=list)
    connection: str | None = None


@dataclass(slots=True, eq=False)
class Description(_Attributed):
    """A session description.

    Attributes:
        attributes: Those of session level, in order.
        sections: Media sections, in order.
        origin: The value of its `o=` line.
    """

    attributes: list[Attribute] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    origin: str = "- 1 1 IN IP4 0.0.0.0"


def read_description(text: str) -> Description:
    r"""Read a session description.

    Raises:
        SdpLimitError: There is more in it than any client sends.
        SdpError: It is none.

    Example:
        >>> read_description("v=0\r\nm=video 9 RTP/SAVPF 96\r\na=mid:x\r\n").sections[0].first("mid")
        'x'
    """
    lines = split_lines(text)
    if lines[:1] != ["v=0"]:
        raise SdpError("SDP must begin with v=0")
    description = Description()
    at: Description | Section = description
    counts: Counter[str] = Counter()
    for line in lines:
        if line.startswith("m="):
            if len(description.sections) == MAX_SECTIONS:
                raise SdpLimitError(f"at most {MAX_SECTIONS} media sections are taken, got more")
            at = _section(line)
            description.sections.append(at)
            counts.clear()
        elif line.startswith("a="):
            attribute = read_attribute(line)
            if attribute is not None:
                counts[attribute.name] += 1
                check_count(attribute.name, counts[attribute.name])
                at.attributes.append(attribute)
        elif not _LINE.match(line):
            raise SdpError("a line of SDP must begin with a letter and =")
        elif line.startswith("c=") and isinstance(at, Section):
            at.connection = line[2:]
        elif line.startswith("o="):
            description.origin = line[2:]
    return description


def read_attribute(line: str) -> Attribute | None:
    """Read a line that begins with `a=`; None where nothing follows.

    Raises:
        SdpError: It is no attribute, or a longer one than is taken.
    """
    if line == "a=":
        return None
    match = _ATTRIBUTE.fullmatch(line)
    if match is None:
        raise SdpError("an attribute of SDP has no proper name")
    if match[2] is not None:
        check_value(match[1], match[2])
    return Attribute(match[1], match[2])


def write_description(description: Description) -> str:
    """Return the text of a description."""
    return "".join(f"{line}\r\n" for line in _lines(description))


def _lines(description: Description) -> Iterator[str]:
    yield from ("v=0", f"o={description.origin}", "s=-", "t=0 0")
    yield from map(str, description.attributes)
    for section in description.sections:
        yield f"m={section.kind} {section.port} {section.protocol} {' '.join(section.formats)}"
        if section.connection is not None:
            yield f"c={section.connection}"
        yield from map(str, section.attributes)


def _section(line: str) -> Section:
    match = _MEDIA.fullmatch(line)
    if match is None or int(match[2]) > 65_535:
        raise SdpError("an m= line cannot be read")
    formats = tuple(match[4].split(" "))
    if len(formats) > MAX_FORMATS:
        raise SdpLimitError(f"a media section may have {MAX_FORMATS} formats, got {len(formats)}")
    return Section(match[1], int(match[2]), match[3], formats)


def attributes(pairs: Iterable[tuple[str, str | None]]) -> list[Attribute]:
    """Return attributes of these names and values."""
    return [Attribute(name, value) for name, value in pairs]
