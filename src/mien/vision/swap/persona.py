"""Personas: the faces that can be swapped in, read once and ready to be lit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import FacePhotoError, PersonaError, ShapeError
from mien.vision.mesh.geometry import bounds, fit_body, mesh_size, turned_away, vertex_normals
from mien.vision.mesh.regions import beard, brows, forehead, openings, oval, ramp, shrink, soften, spread_out
from mien.vision.mesh.texture_map import flatten, unwrap
from mien.vision.mesh.topology import LANDMARKS, STEADY
from mien.vision.swap.harmonise import LightMatch, Skin, read_skin
from mien.vision.swap.masks.light import Finish
from mien.vision.swap.occlusion import SIDE as COVER_SIDE
from mien.vision.swap.occlusion import shown_skin, skin_matte
from mien.vision.swap.photo_eyes import PhotoEyes, behind_dark_glass, read_eyes
from mien.vision.swap.photo_lids import PhotoLids, read_lids
from mien.vision.types import Image, Matte, Mesh, check_image

SIDE: Final = 256
"""Side of a photo's texture: one to one with a face that fills half the height of a 720p frame."""
MAX_PHOTO_TURN: Final = 55.0
MIN_EYE_DISTANCE_PX: Final = 24.0
_SHARP: Final = 0.3
"""A photo of this `sharpness` gives all the likeness that it can; one of 0.18 costs as much as 12 degrees of turn."""


@dataclass(frozen=True, slots=True, eq=False)
class Persona:
    """A face to swap in.

    Attributes:
        name: What people call it.
        texture: (S, S, 3) RGB flat texture.
        matte: (S, S) where the persona covers the face, 0 to 1. Eyes and inner mouth stay open.
        surface: What light does to the texture: skin read from a photo, or the finish of a mask.
        mesh: The build of the face in the photo; None keeps the live one.
        eyes: The photo's eyes, taken apart; None keeps the live ones.
        lids: What shuts the photo's eyes; None where they are behind dark glass, which no lid is in front of.
        eye_matte: (S, S) what the persona covers besides where its eyes are drawn or shut.
    """

    name: str
    texture: Image
    matte: Matte
    surface: Skin | Finish
    mesh: Mesh | None = None
    eyes: PhotoEyes | None = None
    lids: PhotoLids | None = None
    eye_matte: Matte | None = None

    @property
    def kind(self) -> Literal["photo", "mask"]:
        """Whose face this is: a person's, who must have agreed, or nobody's."""
        return "photo" if isinstance(self.surface, Skin) else "mask"


def usable(persona: object) -> Persona:
    """Return what a policy names as a persona, as one that can be drawn.

    Raises:
        PersonaError: It is something else.
    """
    if not isinstance(persona, Persona):
        raise PersonaError(f"a swap needs a persona that can be drawn, got {type(persona).__name__}")
    return persona


def check_mesh(mesh: NDArray[np.float32], *, name: str = "mesh") -> Mesh:
    """Return `mesh` unchanged, or say what is wrong with it.

    Raises:
        ShapeError: It is not (468, 3) finite float32.
    """
    if mesh.shape != (LANDMARKS, 3) or mesh.dtype != np.float32 or not np.isfinite(mesh).all():
        raise ShapeError(f"{name} must be ({LANDMARKS}, 3) finite float32, got {mesh.shape} {mesh.dtype}")
    return mesh


def persona_from_photo(image: Image, mesh: Mesh, name: str) -> Persona:
    """Read one photo of a face as a persona.

    Args:
        image: RGB photo.
        mesh: The face's landmarks in it.
        name: What people call the persona.

    Raises:
        ShapeError: `image` or `mesh` is malformed.
        FacePhotoError: The face is too small, or turned so far away that half of it is unseen.
    """
    return persona_from_photos([(image, mesh)], name)


def persona_from_photos(photos: Sequence[tuple[Image, Mesh]], name: str) -> Persona:
    """Read several photos of one face as a persona.

    The most frontal one leads, or a sharper one that is turned little further. Where it does not show the face, the
    others do, in its light; the build is the mean of all, in which an expression or a lens counts for less.

    Args:
        photos: RGB photos, each with the face's landmarks in it. Whether they show one person is not judged here.
        name: What people call the persona.

    Raises:
        ShapeError: There is no photo, or an image or a mesh is malformed.
        FacePhotoError: A face is too small, or turned so far away that half of it is unseen.
    """
    if not photos:
        raise ShapeError("a persona needs a photo, got none")
    for image, mesh in photos:
        _check_photo(image, mesh)
    photos = sorted(photos, key=lambda photo: _shortfall(*photo))
    lead, *others = (_peel(image, mesh) for image, mesh in photos)
    for other in others:
        lead = _filled_from(lead, other)
    texture, towards = _mirror_unseen(lead.texture, lead.towards)
    texture = _without_fringe(texture)
    seen = ramp(towards, 0.2, 0.5)
    shown = cv2.resize(shown_skin(texture, seen), (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    covers = np.maximum(shown, np.maximum(beard(SIDE), forehead(SIDE)) * seen) * oval(SIDE)
    open_ = covers * openings(SIDE)
    build = lead.mesh if not others else _mean_build([lead.mesh, *(other.mesh for other in others)])
    skin = read_skin(texture, skin_matte(texture))
    lids = None if behind_dark_glass(*photos[0]) else read_lids(texture)
    return Persona(name, texture, covers - open_, skin, build, read_eyes(*photos[0]), lids, open_)


@dataclass(frozen=True, slots=True)
class _Peeled:
    """A photo's flat texture, how much each place in it looks at the camera (-1 to 1), and the mesh in the photo."""

    texture: Image
    towards: NDArray[np.float32]
    mesh: Mesh


def _check_photo(image: Image, mesh: Mesh) -> None:
    check_image(image)
    check_mesh(mesh)
    if (eyes_px := mesh_size(mesh)) < MIN_EYE_DISTANCE_PX:
        raise FacePhotoError(f"the eyes must be {MIN_EYE_DISTANCE_PX:.0f} pixels apart or more, got {eyes_px:.0f}")
    if (turn := turned_away(mesh)) > MAX_PHOTO_TURN:
        raise FacePhotoError(f"the face must look at the camera, within {MAX_PHOTO_TURN:.0f} degrees; got {turn:.0f}")


def _shortfall(image: Image, mesh: Mesh) -> float:
    """Return what a photo lacks to lead others, in degrees of turn."""
    return turned_away(mesh) + 100 * max(0.0, _SHARP - sharpness(*reduced_photo(image, mesh)))


def _peel(image: Image, mesh: Mesh) -> _Peeled:
    towards = flatten(-vertex_normals(mesh), SIDE)[..., 2]
    return _Peeled(unwrap(*reduced_photo(image, mesh), SIDE), towards, mesh)


def _filled_from(lead: _Peeled, other: _Peeled) -> _Peeled:
    """Show what another photo sees clearly better, as it would look in the light of the leading one."""
    gain = ramp(other.towards, 0.15, 0.5) - ramp(lead.towards, 0.15, 0.5)
    share = soften(ramp(gain, 0.1, 0.6), 0.0234)
    seen = skin_matte(lead.texture) * shrink(ramp(lead.towards, 0.15, 0.5), COVER_SIDE)
    lit = LightMatch(read_skin(other.texture, skin_matte(other.texture)))(lead.texture, seen, dt=1.0)
    texture = lead.texture * (1 - share[..., None]) + lit * share[..., None]
    towards = lead.towards * (1 - share) + other.towards * share
    return _Peeled(texture.astype(np.uint8), towards.astype(np.float32), lead.mesh)


def _mean_build(meshes: Sequence[Mesh]) -> Mesh:
    """Return the mean of meshes laid over the first; the more a face is turned, the less of it is sure."""
    laid = [fit_body(mesh[STEADY], meshes[0][STEADY]).carry(mesh) for mesh in meshes]
    weights = [np.cos(np.radians(turned_away(mesh))) ** 2 for mesh in meshes]
    return np.average(laid, axis=0, weights=weights).astype(np.float32)


def reduced_photo(image: Image, mesh: Mesh) -> tuple[Image, Mesh]:
    """Shrink a photo so far that its face has about the texture's resolution; a smaller one stays as it is."""
    factor = 0.55 * SIDE / mesh_size(mesh)
    if factor > 0.95:
        return image, mesh
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), ((mesh + 0.5) * factor - 0.5).astype(np.float32)


def sharpness(image: Image, mesh: Mesh) -> float:
    """Return which share of the steps from pixel to pixel in a face a blur takes away: few, where it was blurred.

    Along the axis where they are fewer: a hand that shakes blurs along one.

    Args:
        image: RGB, as `reduced_photo` returns it: blur that the texture will not show does not count.
        mesh: The face's landmarks in it.

    Source:
        Crete et al. 2007, doi:10.1117/12.702790, the idea: a sharp picture loses much by a blur, a blurred one little.
    """
    low, high = bounds(mesh)
    x0, y0 = np.maximum(low, 0).astype(int)
    x1, y1 = np.maximum(high, 0).astype(int) + 1
    luma = cv2.cvtColor(image[y0:y1, x0:x1], cv2.COLOR_RGB2GRAY).astype(np.float32)
    if min(luma.shape) < 8:
        return 1.0  # too little of it to tell; that it is small or cut off is said
    soft = cv2.GaussianBlur(luma, (0, 0), 2)
    shares = []
    for axis in (0, 1):
        before, after = np.abs(np.diff(luma, axis=axis)), np.abs(np.diff(soft, axis=axis))
        shares.append(float(np.minimum(before, after).sum()) / max(float(before.sum()), 1e-6))
    return 1 - max(shares)


def _without_fringe(texture: Image) -> Image:
    """Paint skin where hair lies on forehead and temples.

    Brows that it hides keep their place: what is seen there is hair of about their colour.
    """
    skin = cv2.erode(skin_matte(texture), np.ones((3, 3), np.uint8))
    known = np.asarray(cv2.resize(skin, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.float32)
    known *= (1 - brows(SIDE)) * (1 - openings(SIDE)) * np.maximum(oval(SIDE), 0.01)
    plain = soften(texture.astype(np.float32), 0.012)
    # Brown hair on brown skin has the skin's hue, but it is darker over more than the width of a wrinkle.
    known *= 1 - _shade(plain, spread_out(texture, known * (1 - forehead(SIDE)), (0.2,))[0])
    painted, sure = spread_out(texture, known, (0.03, 0.08, 0.2))
    hair = np.maximum(1 - ramp(soften(known, 0.008), 0.3, 0.8), _shade(plain, painted))
    wanted = soften((forehead(SIDE) * hair).astype(np.float32), 0.01) * (1 - brows(SIDE))
    wanted = wanted[..., None] * sure
    return np.asarray(texture * (1 - wanted) + painted * wanted, np.uint8)


def _shade(texture: NDArray[np.float32], skin: NDArray[np.float32]) -> Matte:
    """Return where a texture is clearly darker than skin would be there."""
    return ramp(np.log((skin.mean(axis=2) + 8) / (texture.mean(axis=2) + 8)), 0.2, 0.4)


def _mirror_unseen(texture: Image, towards: NDArray[np.float32]) -> tuple[Image, NDArray[np.float32]]:
    """Fill the side that the photo hardly shows from the other side.

    Args:
        texture: The photo's flat texture.
        towards: How much each place looks towards the camera, -1 to 1.

    Returns:
        The filled texture, and how much what is now at each place looked towards the camera.
    """
    seen = np.clip((towards - 0.15) / 0.3, 0, 1)
    wanted = np.clip((seen[:, ::-1] - seen) * 1.5, 0, 1) * (seen < 0.6)
    share = soften(wanted.astype(np.float32), 0.0234)[..., None]
    mixed = texture * (1 - share) + texture[:, ::-1] * share
    better = towards * (1 - share[..., 0]) + towards[:, ::-1] * share[..., 0]
    return mixed.astype(np.uint8), better.astype(np.float32)
