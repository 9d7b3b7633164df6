"""Every error mien raises on purpose, as one tree.

    MienError
    ├── InputError                what a caller handed in cannot be used
    │   ├── ShapeError            an array has the wrong shape, type or range
    │   ├── MediaError            a picture or video cannot be read
    │   │   ├── MediaTooLargeError
    │   │   ├── MediaTooCostlyError   decoding it took more memory or time than it may
    │   │   └── MediaTruncatedError
    │   ├── OutputError           the result cannot be written where it was asked for
    │   ├── PolicyError           the treatments asked for contradict each other
    │   │   ├── PolicyFormatError     it is no policy document
    │   │   ├── PolicyVersionError    the document is of an unknown version
    │   │   ├── PolicyDuplicateError  two rules are for the same subject
    │   │   ├── PolicyOrderError      a rule stands where it could never apply
    │   │   ├── PolicyShowError       somebody would be shown who is not known
    │   │   ├── PolicyTooLongError    it has too many rules
    │   │   ├── PolicyUnsupportedError  it asks for what cannot be drawn yet
    │   │   └── UnknownPersonError    a rule names a person who is not known here
    │   ├── PersonaError          no such persona
    │   ├── TargetError           a URL may not be reached from here
    │   └── FacePhotoError        the photo cannot serve as a face
    │       ├── NoFaceError
    │       ├── ManyFacesError
    │       ├── DifferentPeopleError  photos of one face show several people's
    │       └── TooManyPhotosError
    ├── ConsentError              a face is used without its owner's declaration
    ├── ModelError                a model cannot be had or trusted
    │   ├── UnknownCardError
    │   ├── CardError             a card is malformed
    │   ├── DigestError
    │   ├── FetchError            no source of a card could be reached
    │   ├── ConversionError
    │   ├── DiskFullError
    │   ├── ProviderError         networks cannot run where the settings say
    │   └── ContractError         the network does not have the inputs or outputs its card promises
    ├── LiveError                 a live session cannot do what was asked
    │   ├── NoSuchBroadcastError
    │   ├── NoSuchSessionError
    │   ├── BroadcastTakenError   somebody is already live there
    │   ├── TooManySessionsError
    │   ├── LiveLostError         what carried the session broke; it may be back in a moment
    │   │   └── MessageError      it said something that is not in the protocol
    │   ├── NoPortError           every port that media may use is taken
    │   ├── PushLostError         a push to a server elsewhere broke; another attempt follows
    │   ├── PushRefusedError      a server elsewhere will not have the broadcast
    │   ├── PrimaryError          a face cannot be made the primary person
    │   │   ├── NoSuchFaceError       no face is there
    │   │   ├── PrimaryNotInPolicyError
    │   │   └── PrimaryRegisteredError  a rule for a person applies to it
    │   ├── TokenError
    │   ├── TokenNotSetError      the server needs a token before anybody may do this
    │   └── SdpError              an offer or fragment cannot be used
    │       ├── SdpLimitError     it has more of something than is taken
    │       └── IceRestartError   a fragment asks for new ICE credentials
    ├── NoSuchRecordingError
    ├── BusyError                 too much of the same is being done; later there will be room
    └── SettingsError             a setting is wrong
        └── AddressError          the server cannot listen where it should

Each class carries a stable `code`; `server/problems.py` alone turns codes into HTTP answers.
"""

from dataclasses import dataclass
from typing import Literal


class MienError(Exception):
    """The root of everything mien raises on purpose."""

    code = "mien"


class InputError(MienError):
    """What the caller handed in cannot be used."""

    code = "input"


class ShapeError(InputError):
    """An array has the wrong shape, type or range."""

    code = "input.shape"


class MediaError(InputError):
    """A picture or video cannot be read."""

    code = "media.unreadable"


class MediaTooLargeError(MediaError):
    """A picture or video is larger than the configured limit."""

    code = "media.too_large"


class MediaTooCostlyError(MediaError):
    """Decoding a picture took more memory or time than it may."""

    code = "media.too_costly"


class MediaTruncatedError(MediaError):
    """A video ends before it should."""

    code = "media.truncated"


class OutputError(InputError):
    """The result cannot be written where it was asked for."""

    code = "output"


class PolicyError(InputError):
    """The treatments asked for contradict each other."""

    code = "policy"


class PolicyFormatError(PolicyError):
    """Something is not a policy document: no JSON, an unknown kind or field, a missing or wrong value."""

    code = "policy.format"


class PolicyVersionError(PolicyError):
    """A policy document is of a version that is not understood, or does not say which."""

    code = "policy.version"


class PolicyDuplicateError(PolicyError):
    """A policy document has two rules for the same subject."""

    code = "policy.duplicate"


class PolicyOrderError(PolicyError):
    """A rule of a policy document stands after one that leaves it nobody."""

    code = "policy.order"


class PolicyShowError(PolicyError):
    """A policy document would show somebody who is not a known person."""

    code = "policy.show"


class PolicyTooLongError(PolicyError):
    """A policy document has too many rules."""

    code = "policy.too_long"


class PolicyUnsupportedError(PolicyError):
    """A policy document asks for what cannot be drawn yet: mosaics of several looks in one stream."""

    code = "policy.unsupported"


class UnknownPersonError(PolicyError):
    """A rule of a policy document names a person who is not known here.

    Attributes:
        people: The ids that are known to be unknown; there may be more.
    """

    code = "policy.unknown_person"

    def __init__(self, message: str, *, people: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.people = people


class PersonaError(InputError):
    """There is no persona of that name."""

    code = "persona.unknown"


class TargetError(InputError):
    """A URL may not be reached from here, or cannot be."""

    code = "input.target"


@dataclass(frozen=True, slots=True)
class PhotoFinding:
    """Something about a photo of a face that whoever gave it can change. `vision.photos.quality` finds them.

    Attributes:
        code: Stable name, as in `vision.photos.quality.PhotoIssue`.
        severity: "refuse" where the photo cannot serve, "warn" where a better one would serve better.
        value: What was measured; `PhotoAssessor.measure` says in which unit.
        limit: The value that it passed.
    """

    code: str
    severity: Literal["refuse", "warn"]
    value: float
    limit: float


class FacePhotoError(InputError):
    """A photo cannot serve as a face.

    Attributes:
        findings: What was found in each photo that was handed in, in their order; empty where nobody looked.
    """

    code = "photo.unusable"

    def __init__(self, message: str, *, findings: tuple[tuple[PhotoFinding, ...], ...] = ()) -> None:
        super().__init__(message)
        self.findings = findings


class NoFaceError(FacePhotoError):
    """No face was found in a photo that must show one."""

    code = "photo.no_face"


class ManyFacesError(FacePhotoError):
    """Several faces were found in a photo that must show one."""

    code = "photo.many_faces"


class DifferentPeopleError(FacePhotoError):
    """Photos that must show one person's face show several people's."""

    code = "photo.different_people"


class TooManyPhotosError(FacePhotoError):
    """There are more photos of one face than are read."""

    code = "photo.too_many"


class ConsentError(MienError):
    """A face would be used without its owner's declaration."""

    code = "consent.missing"


class ModelError(MienError):
    """A model cannot be had or trusted."""

    code = "model"


class UnknownCardError(ModelError):
    """There is no model card of that name."""

    code = "model.unknown_card"


class CardError(ModelError):
    """A model card is malformed."""

    code = "model.card"


class DigestError(ModelError):
    """A model file does not match the SHA-256 on its card."""

    code = "model.digest"


class FetchError(ModelError):
    """No source of a model could be reached."""

    code = "model.fetch"


class ConversionError(ModelError):
    """A model file could not be converted to ONNX."""

    code = "model.conversion"


class DiskFullError(ModelError):
    """There is no room for a model."""

    code = "model.disk_full"


class ProviderError(ModelError):
    """An execution provider, which runs networks, is unknown or cannot be used on this machine."""

    code = "model.provider"


class ContractError(ModelError):
    """A network does not have the inputs or outputs its card promises."""

    code = "model.contract"


class LiveError(MienError):
    """A live session cannot do what was asked of it."""

    code = "live"


class NoSuchBroadcastError(LiveError):
    """There is no broadcast of that name."""

    code = "live.no_such_broadcast"


class NoSuchSessionError(LiveError):
    """There is no WHIP or WHEP session of that name."""

    code = "live.no_such_session"


class BroadcastTakenError(LiveError):
    """Somebody is already live in this broadcast."""

    code = "live.taken"


class TooManySessionsError(LiveError):
    """The server carries as many live sessions as it may."""

    code = "live.too_many"


class LiveLostError(LiveError):
    """What carried the live session broke; it is being started again."""

    code = "live.lost"


class MessageError(LiveLostError):
    """A message between the web process and a worker is not one of the protocol; the channel ends with it."""

    code = "live.message"


class NoPortError(LiveError):
    """Every port that media may use is taken."""

    code = "live.no_port"


class PushLostError(LiveError):
    """A push to a WHIP server elsewhere broke, or could not be begun; another attempt follows.

    Attributes:
        retry_after_s: How long the server wants to be left alone.
    """

    code = "live.push_lost"

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class PushRefusedError(LiveError):
    """A WHIP server elsewhere will not have the broadcast."""

    code = "live.push_refused"


class PrimaryError(LiveError):
    """A face cannot be made the primary person."""

    code = "primary"


class NoSuchFaceError(PrimaryError):
    """No face is in that place, or no such face is in the picture now."""

    code = "primary.no_face"


class PrimaryNotInPolicyError(PrimaryError):
    """The policy has no rule for the primary person, or what treats the frames now has none."""

    code = "primary.not_in_policy"


class PrimaryRegisteredError(PrimaryError):
    """A rule for a person applies to the face, so it cannot be the primary one."""

    code = "primary.registered"


class TokenError(LiveError):
    """The bearer token is missing or wrong."""

    code = "live.token"


class TokenNotSetError(LiveError):
    """The server can be reached from elsewhere, and has no operator's token that could tell who may."""

    code = "live.token_not_set"


class SdpError(LiveError):
    """An offer, answer or fragment cannot be used."""

    code = "live.sdp"


class SdpLimitError(SdpError):
    """An offer, answer or fragment has more of something than is taken, or more than any client sends."""

    code = "live.sdp_limit"


class IceRestartError(SdpError):
    """A fragment belongs to other ICE credentials than the session's: a restart, which is not supported."""

    code = "live.no_ice_restart"


class NoSuchRecordingError(MienError):
    """There is no recording of that name."""

    code = "recording.unknown"


class BusyError(MienError):
    """Too much of the same is being done already; later there will be room."""

    code = "busy"


class SettingsError(MienError):
    """A setting is wrong."""

    code = "settings"


class AddressError(SettingsError):
    """The server cannot listen where it should."""

    code = "settings.address"
