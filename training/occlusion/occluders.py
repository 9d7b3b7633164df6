"""Things that pass in front of faces, drawn by code or cut from other stills. All are RGBA, straight alpha."""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.vision.mesh.topology import EYE_LEFT, EYE_RIGHT, LIPS
from stills import CROP, Still

Layer: TypeAlias = NDArray[np.float32]
"""(CROP, CROP, 4): RGB 0..255, alpha 0..1."""
Rng: TypeAlias = np.random.Generator
Draw: TypeAlias = Callable[[Rng, Still, Sequence[Still]], Layer]
"""Draw something in front of a face; the other stills lend skin and textures."""

_GRID: Final = np.stack(np.meshgrid(np.arange(CROP, dtype=np.float32), np.arange(CROP, dtype=np.float32)), axis=-1)
JAW: Final = (
    234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454,
)  # fmt: skip


def _fill(corners: NDArray[np.float32]) -> NDArray[np.float32]:
    drawn = np.zeros((CROP, CROP), np.uint8)
    cv2.fillPoly(drawn, [np.round(corners * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return drawn * np.float32(1 / 255)


def _layer(colour: NDArray[np.number], alpha: NDArray[np.number]) -> Layer:
    colour = np.broadcast_to(colour, (CROP, CROP, 3))
    return np.dstack([np.clip(colour, 0, 255), alpha]).astype(np.float32)


def _over(under: Layer, above: Layer) -> Layer:
    alpha = above[..., 3:] + under[..., 3:] * (1 - above[..., 3:])
    colour = above[..., :3] * above[..., 3:] + under[..., :3] * under[..., 3:] * (1 - above[..., 3:])
    return np.dstack([colour / np.maximum(alpha, 1e-3), alpha]).astype(np.float32)


def smooth_noise(rng: Rng, cells: int) -> NDArray[np.float32]:
    """Return (CROP, CROP) noise of mean 0 and deviation about 1, `cells` bumps a side."""
    coarse = rng.normal(size=(cells + 3, cells + 3)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (CROP, CROP), interpolation=cv2.INTER_CUBIC))


def some_texture(rng: Rng, others: Sequence[Still]) -> NDArray[np.float32]:
    """Return (CROP, CROP, 3): a plain or shaded colour, stripes, noise, or a piece of another still."""
    kind = rng.integers(5)
    if kind == 0:
        image = others[int(rng.integers(len(others)))].scenery
        zoom, x, y = rng.uniform(1, 3), *rng.uniform(0, CROP / 2, 2)
        matrix = np.array([[zoom, 0, -x], [0, zoom, -y]], np.float32)
        piece = cv2.warpAffine(image, matrix, (CROP, CROP), borderMode=cv2.BORDER_REFLECT)
        return piece.astype(np.float32)
    colour = rng.uniform(10, 245, 3)
    if rng.random() < 0.3:
        colour = colour.mean() + 0.2 * (colour - colour.mean())
    texture = np.broadcast_to(colour, (CROP, CROP, 3)).astype(np.float32).copy()
    if kind == 1:
        angle, pitch = rng.uniform(0, np.pi), rng.uniform(4, 30)
        wave = np.sin((_GRID @ np.array([np.cos(angle), np.sin(angle)], np.float32)) * (2 * np.pi / pitch))
        texture += (wave > rng.uniform(-0.5, 0.5))[..., None] * rng.uniform(-90, 90, 3)
    elif kind == 2:
        texture += smooth_noise(rng, int(rng.integers(4, 60)))[..., None] * rng.uniform(5, 40)
    slope = (_GRID / CROP - 0.5) @ rng.normal(size=2).astype(np.float32)
    return np.asarray(texture * (1 + rng.uniform(0, 0.6) * slope[..., None]), np.float32)


def skin_tone(rng: Rng, still: Still, others: Sequence[Still]) -> NDArray[np.float32]:
    """Return a colour of skin: mostly close to that of the face itself, which is the hard case."""
    own = np.median(still.patch.reshape(-1, 3), axis=0)
    other = np.median(others[int(rng.integers(len(others)))].patch.reshape(-1, 3), axis=0)
    mix = 0.0 if rng.random() < 0.6 else rng.uniform(0, 1)
    tone = own * (1 - mix) + other * mix
    return np.asarray(tone * rng.uniform(0.7, 1.3) * rng.normal(1, 0.03, 3), np.float32)


def _skin_detail(rng: Rng, others: Sequence[Still]) -> NDArray[np.float32]:
    """Return (CROP, CROP) the fine relief of another person's skin, around 1."""
    patch = others[int(rng.integers(len(others)))].patch.mean(axis=2)
    relief = patch - cv2.GaussianBlur(patch, (0, 0), 4) + 128
    wide = cv2.resize(relief, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    tiles = -(-CROP // len(wide))
    both = np.hstack([wide, wide[:, ::-1]])
    sheet = np.tile(np.vstack([both, both[::-1]]), (tiles, tiles))[:CROP, :CROP]
    return np.asarray(sheet / 128, np.float32)


# --- hands ---------------------------------------------------------------------------------------------------


def _limb(
    height: NDArray[np.float32],
    start: NDArray[np.float32],
    end: NDArray[np.float32],
    radii: tuple[float, float],
    lift: float,
) -> None:
    """Raise a height field by a limb with round ends. `height` is -inf where nothing is."""
    reach = max(radii) + 1
    low = np.clip(np.floor(np.minimum(start, end) - reach).astype(int), 0, CROP)
    high = np.clip(np.ceil(np.maximum(start, end) + reach).astype(int) + 1, 0, CROP)
    if (high <= low).any():
        return
    view = np.s_[low[1] : high[1], low[0] : high[0]]
    grid, axis = _GRID[view], end - start
    t = np.clip((grid - start) @ axis / max(float(axis @ axis), 1e-3), 0, 1)
    radius = radii[0] + (radii[1] - radii[0]) * t
    square = radius**2 - np.square(grid - start - t[..., None] * axis).sum(axis=-1)
    bump = np.where(square > 0, np.sqrt(np.maximum(square, 0)) + lift, -np.inf)
    height[view] = np.maximum(height[view], bump)


def _around(angle: float) -> NDArray[np.float32]:
    return np.array([np.cos(angle), np.sin(angle)], np.float32)


def _anchor(rng: Rng, still: Still) -> NDArray[np.float32]:
    """Return a place on the face for something to be."""
    return still.mesh[rng.integers(len(still.mesh)), :2] + rng.normal(0, 8, 2).astype(np.float32)


def drawn_hand(rng: Rng, still: Still, others: Sequence[Still]) -> Layer:
    """Draw a hand of round limbs, lit from one side."""
    height = np.full((CROP, CROP), -np.inf, np.float32)
    unit = rng.uniform(6, 13)  # the radius of a finger
    pointing = rng.uniform(-np.pi, 0) if rng.random() < 0.75 else rng.uniform(-np.pi, np.pi)
    reach = rng.uniform(2, 9) * unit
    palm = _anchor(rng, still) - _around(pointing) * reach
    across = _around(pointing + np.pi / 2)
    mirrored = rng.choice([-1.0, 1.0])
    _limb(
        height, palm - _around(pointing) * 16 * unit, palm - _around(pointing) * 3 * unit, (2.6 * unit, 2.2 * unit), 0
    )
    for side in (-1.6, -0.5, 0.6, 1.7):
        heel = palm - _around(pointing) * 2.5 * unit + across * side * 0.8 * unit
        knuckle = palm + _around(pointing) * 2 * unit + across * side * unit
        _limb(height, heel, knuckle, (1.9 * unit, 1.3 * unit), 0.4 * unit)
    spread, curl = rng.uniform(0.02, 0.28), rng.uniform(0, 1.2)
    for k, length in enumerate((0.8, 1.0, 1.05, 0.9)):
        folded = rng.random() < 0.18
        at = palm + (_around(pointing) * 2.2 + across * mirrored * (k - 1.5) * 1.75) * unit
        angle = pointing + mirrored * (k - 1.5) * spread + rng.normal(0, 0.05)
        bone = length * unit * rng.uniform(3.2, 4.2)
        thick = unit * (0.85 if k == 0 else 1.0)
        for joint in range(3):
            angle += curl * mirrored * rng.uniform(-0.1, 0.35)
            tip = at + _around(angle) * bone * (0.35 if folded else 1.0)
            _limb(height, at, tip, (thick, thick * 0.9), (1.2 - 0.2 * joint) * unit)
            at, bone, thick = tip, bone * 0.68, thick * 0.9
    thumb = palm - across * mirrored * 2.4 * unit
    angle = pointing - mirrored * rng.uniform(0.3, 1.1)
    for joint in range(2):
        tip = thumb + _around(angle) * unit * (4 - joint)
        _limb(height, thumb, tip, (1.25 * unit, 1.0 * unit), 1.5 * unit)
        thumb, angle = tip, angle + mirrored * rng.uniform(-0.2, 0.5)
    alpha = cv2.GaussianBlur(np.isfinite(height).astype(np.float32), (0, 0), rng.uniform(0.5, 1.0))
    field = cv2.GaussianBlur(np.where(np.isfinite(height), height, 0.0).astype(np.float32), (0, 0), 0.12 * unit)
    slope_x, slope_y = cv2.Sobel(field, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(field, cv2.CV_32F, 0, 1, scale=0.125)
    light = rng.normal(size=3) * (1, 1, 0.3) + (0, -0.5, 1.2)
    light /= np.linalg.norm(light)
    facing = (light[2] - slope_x * light[0] - slope_y * light[1]) / np.sqrt(1 + slope_x**2 + slope_y**2)
    shade = rng.uniform(0.45, 0.8) + rng.uniform(0.3, 0.7) * np.clip(facing, 0, 1)
    shade *= 1 + 0.08 * smooth_noise(rng, 6)
    colour = skin_tone(rng, still, others) * (shade * _skin_detail(rng, others))[..., None]
    # Blood shows where skin is thin: fingertips and knuckles are redder.
    colour *= 1 + smooth_noise(rng, 5)[..., None] * np.array([0.03, -0.02, -0.02])
    return _with_sleeve(rng, _layer(colour, alpha), palm, pointing, unit, others)


def _with_sleeve(
    rng: Rng, hand: Layer, palm: NDArray[np.float32], pointing: float, unit: float, others: Sequence[Still]
) -> Layer:
    if rng.random() < 0.5:
        return hand
    start, across = palm - _around(pointing) * rng.uniform(4, 9) * unit, _around(pointing + np.pi / 2) * 3.4 * unit
    far = start - _around(pointing) * 300
    cloth = _fill(np.stack([start - across, start + across, far + 1.3 * across, far - 1.3 * across]))
    return _over(hand, _layer(some_texture(rng, others), cloth))


def photo_hand(rng: Rng, still: Still, others: Sequence[Still]) -> Layer:
    """Lay on a hand cut from another still, its tone changed."""
    owners = [other for other in others if other.hands]
    owner = owners[rng.integers(len(owners))]
    hand = owner.hands[rng.integers(len(owner.hands))]
    height, width = hand.shape[:2]
    scale = rng.uniform(60, 175) / max(height, width)
    angle, squeeze = rng.uniform(-np.pi, np.pi), rng.uniform(0.75, 1.0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag(
        [scale * squeeze * rng.choice([-1, 1]), scale]
    )
    middle = np.array([width, height]) * rng.uniform(0.25, 0.75, 2)
    matrix = np.column_stack([turn, _anchor(rng, still) - turn @ middle]).astype(np.float32)
    smooth = hand if scale > 0.7 else cv2.GaussianBlur(hand, (0, 0), 0.4 / scale)
    laid = cv2.warpAffine(smooth, matrix, (CROP, CROP), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    solid = hand[..., 3] > 200
    usual = np.median(hand[solid][:, :3], axis=0) + 1
    gain = skin_tone(rng, still, others) / usual
    contrast = rng.uniform(0.7, 1.3)
    relative = np.power(np.maximum(laid[..., :3], 1) / usual, contrast)
    return _layer(relative * usual * gain, laid[..., 3] / 255)


# --- things --------------------------------------------------------------------------------------------------


def _tilted_box(rng: Rng, still: Still, half_wh: tuple[float, float], lean: float) -> NDArray[np.float32]:
    """Return the corners of a rectangle on the face, somewhat in perspective."""
    angle = rng.normal(0, lean)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32) * half_wh
    corners = corners * rng.uniform(0.85, 1.0, (4, 1)) @ np.stack([_around(angle), _around(angle + np.pi / 2)])
    return np.asarray(corners + _anchor(rng, still), np.float32)


def phone(rng: Rng, still: Still, others: Sequence[Still]) -> Layer:
    """Draw a phone's back or screen, with a rim."""
    corners = _tilted_box(rng, still, (rng.uniform(25, 45), rng.uniform(50, 85)), 0.5)
    body = _fill(corners)
    case = some_texture(rng, others) if rng.random() < 0.4 else np.full((CROP, CROP, 3), rng.uniform(5, 60), np.float32)
    phone_ = _layer(case, np.clip(cv2.GaussianBlur(body, (0, 0), 1.5) * 1.6 - 0.4, 0, 1))
    inside = cv2.erode(body, np.ones((7, 7)))
    if rng.random() < 0.5:
        return _over(phone_, _layer(some_texture(rng, others), inside * 0.9))
    lens = corners[0] + 0.25 * (corners[2] - corners[0])
    dot = np.zeros((CROP, CROP), np.uint8)
    cv2.circle(dot, (int(lens[0]), int(lens[1])), int(rng.integers(3, 8)), 255, -1, cv2.LINE_AA)
    return _over(phone_, _layer(np.full(3, rng.uniform(0, 90), np.float32), dot / np.float32(255) * body))


def microphone(rng: Rng, still: Still, others: Sequence[Still]) -> Layer:
    """Draw a microphone: a ball with a grille or foam on a stick, or a thin boom."""
    head = still.mesh[LIPS[rng.integers(len(LIPS))], :2] + rng.normal(0, 14, 2).astype(np.float32)
    radius = rng.uniform(5, 26)
    down = rng.uniform(0.1, np.pi - 0.1)
    height = np.full((CROP, CROP), -np.inf, np.float32)
    stick = max(2.0, radius * rng.uniform(0.3, 0.7))
    _limb(height, head, head + _around(down) * 300, (stick, stick), 0)
    metal = rng.uniform(10, 150) * (0.5 + np.clip(np.where(np.isfinite(height), height, 0) / stick, 0, 1))
    handle = _layer(metal[..., None] * rng.normal(1, 0.05, 3), np.isfinite(height).astype(np.float32))
    ball = np.full((CROP, CROP), -np.inf, np.float32)
    _limb(ball, head, head + _around(down) * radius * rng.uniform(0.1, 0.8), (radius, radius * 0.9), 0)
    lit = np.clip(np.where(np.isfinite(ball), ball, 0) / radius, 0, 1) * rng.uniform(0.5, 1) + 0.25
    grille = 1 + rng.uniform(0, 0.5) * np.sin(_GRID[..., 0] * 2.1) * np.sin(_GRID[..., 1] * 2.1)
    base = rng.uniform(15, 170) * rng.normal(1, 0.05, 3) if rng.random() < 0.7 else rng.uniform(20, 230, 3)
    del others
    return _over(handle, _layer(base * (lit * grille)[..., None], np.isfinite(ball).astype(np.float32)))


def cup(rng: Rng, still: Still, others: Sequence[Still]) -> Layer:
    """Draw a mug or a paper cup before the mouth."""
    middle = still.mesh[LIPS, :2].mean(axis=0) + rng.normal(0, 12, 2).astype(np.float32)
    wide, tall, taper = rng.uniform(26, 48), rng.uniform(50, 85), rng.uniform(0.75, 1.0)
    angle = rng.normal(0, 0.25)
    axes = np.stack([_around(angle), _around(angle + np.pi / 2)])
    corners = np.array([[-wide, 0], [wide, 0], [wide * taper, tall], [-wide * taper, tall]], np.float32) @ axes
    body = _fill((corners + middle).astype(np.float32))
    rim = np.zeros((CROP, CROP), np.uint8)
    centre = (int(middle[0]), int(middle[1]))
    cv2.ellipse(rim, centre, (int(wide), int(wide * 0.25)), np.degrees(angle), 0, 360, 255, -1, cv2.LINE_AA)
    handle = np.zeros((CROP, CROP), np.uint8)
    ear = middle + np.array([wide * rng.choice([-1, 1]), tall * 0.5], np.float32) @ axes
    cv2.ellipse(handle, (int(ear[0]), int(ear[1])), (16, 20), 0, 0, 360, 255, 6, cv2.LINE_AA)
    x = (_GRID - middle) @ axes[0] / wide
    shade = 0.55 + 0.5 * np.sqrt(np.clip(1 - (x - rng.uniform(-0.5, 0.5)) ** 2, 0, 1))
    texture = some_texture(rng, others) * shade[..., None]
    mug = _over(_layer(texture * 0.9, handle / np.float32(255)), _layer(texture, body))
    return _over(mug, _layer(texture * rng.uniform(0.4, 1.2), rim / np.float32(255)))


def paper(rng: Rng, still: Still, others: Sequence[Still]) -> Layer:
    """Draw a sheet of paper or a book, with lines."""
    corners = _tilted_box(rng, still, (rng.uniform(35, 90), rng.uniform(35, 90)), 0.3)
    sheet = _fill(corners)
    colour = np.full((CROP, CROP, 3), rng.uniform(170, 250), np.float32) * rng.normal(1, 0.04, 3)
    lines = np.sin((_GRID - corners[0]) @ _around(rng.normal(np.pi / 2, 0.2)) * rng.uniform(0.6, 1.5)) > 0.6
    colour *= (1 - rng.uniform(0, 0.7) * lines * (smooth_noise(rng, 20) > -0.5))[..., None]
    del others
    return _layer(colour * (1 + 0.08 * smooth_noise(rng, 3))[..., None], sheet)


def face_mask(rng: Rng, still: Still, others: Sequence[Still]) -> Layer:
    """Draw a medical mask or a scarf over nose and mouth, or over the mouth alone."""
    belt = still.mesh[list(JAW), :2]
    skip = int(rng.integers(0, 4))
    jaw = belt[skip : len(belt) - skip] * 1.0
    centre = still.mesh[1, :2]
    jaw += (jaw - centre) * rng.uniform(0.02, 0.2)
    bridge = still.mesh[[6, 197, 195, 5, 4, 2][rng.integers(6)], :2] + rng.normal(0, 3, 2)
    cheeks = still.mesh[[349, 120], :2] * 0.5 + bridge * 0.5 + rng.uniform(0, 12)
    shape = np.concatenate([jaw, cheeks[:1], bridge[None], cheeks[1:]]).astype(np.float32)
    alpha = cv2.GaussianBlur(_fill(shape), (0, 0), rng.uniform(0.4, 1.5))
    pleats = 1 + rng.uniform(0, 0.25) * np.sin(_GRID[..., 1] * rng.uniform(0.1, 0.7) + 2 * smooth_noise(rng, 4))
    return _layer(some_texture(rng, others) * pleats[..., None] * (1 + 0.08 * smooth_noise(rng, 5))[..., None], alpha)


def hair(rng: Rng, still: Still, others: Sequence[Still]) -> Layer:
    """Draw locks: bundles of curves from the crown, in the colours that hair has."""
    tones = np.array(
        [[20, 16, 14], [55, 38, 28], [110, 75, 45], [190, 150, 95], [140, 60, 30], [150, 150, 150], [225, 220, 215]]
    )
    tone = tones[rng.integers(len(tones))] * rng.uniform(0.7, 1.2) if rng.random() < 0.9 else rng.uniform(20, 230, 3)
    top = still.mesh[10, :2]
    span = float(np.ptp(still.mesh[:, 0]))
    layer = np.zeros((CROP, CROP, 4), np.float32)
    colour, alpha = np.zeros((CROP, CROP, 3), np.uint8), np.zeros((CROP, CROP), np.uint8)
    for _ in range(int(rng.integers(1, 6))):
        root = top + np.array([rng.uniform(-0.6, 0.6) * span, rng.uniform(-0.3, 0.05) * span])
        sway = rng.normal(0, 0.35) * span
        tip = root + np.array([sway, rng.uniform(0.2, 1.3) * span])
        bend = (root + tip) / 2 + np.array([rng.normal(0, 0.2) * span, rng.normal(0, 0.1) * span])
        width = rng.uniform(1, 22)
        for _strand in range(int(rng.integers(2, 5 + int(width * 4)))):
            wander = rng.normal(0, width / 2, 2)
            t = np.linspace(0, 1, 12)[:, None]
            a, b, c = root + wander, bend + wander * rng.uniform(0.6, 1.3), tip + wander * rng.uniform(0, 1.2)
            path = (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c
            points = [np.round(path * 16).astype(np.int32)]
            thick = int(rng.choice([1, 1, 1, 2]))
            shade = tuple(float(v) for v in np.clip(tone * rng.uniform(0.6, 1.35), 0, 255))
            cv2.polylines(colour, points, False, shade, thick + 1, cv2.LINE_8, 4)
            cv2.polylines(alpha, points, False, 255, thick, cv2.LINE_AA, 4)
    del others
    layer[..., :3], layer[..., 3] = colour, alpha * np.float32(rng.uniform(0.6, 1.0) / 255)
    return layer


def glasses(rng: Rng, still: Still, others: Sequence[Still]) -> Layer:
    """Draw a frame on the eyes and its temples. A clear lens hides nothing; a tinted one or a reflection does."""
    mesh = still.mesh
    left, right = mesh[EYE_LEFT, :2].mean(axis=0), mesh[EYE_RIGHT, :2].mean(axis=0)
    across = (right - left) / max(float(np.linalg.norm(right - left)), 1e-3)
    down = np.array([-across[1], across[0]])
    gap = float(np.linalg.norm(right - left))
    half_w, half_h, power = gap * rng.uniform(0.33, 0.48), gap * rng.uniform(0.2, 0.42), rng.uniform(2, 5)
    drop = gap * rng.uniform(-0.03, 0.12)
    rim, lens = np.zeros((CROP, CROP), np.uint8), np.zeros((CROP, CROP), np.float32)
    thick = int(rng.choice([1, 1, 1, 2, 2, 3, 4, 5]))
    angles = np.linspace(0, 2 * np.pi, 40)
    unit = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    outline = np.sign(unit) * np.abs(unit) ** (2 / power) * (half_w, half_h)
    squash = rng.random() < 0.3
    for eye in (left, right):
        ring = (eye + outline[:, :1] * across + (outline[:, 1:] + drop) * down).astype(np.float32)
        points = np.round(ring * 16).astype(np.int32)
        upper = points[outline[:, 1] < 0.2 * half_h] if squash else points
        cv2.polylines(rim, [upper], not squash, 255, thick, cv2.LINE_AA, 4)
        lens = np.maximum(lens, _fill(ring))
    inner_l = left + across * half_w * 0.97 + drop * down
    inner_r = right - across * half_w * 0.97 + drop * down
    arch = (inner_l + inner_r) / 2 - down * gap * rng.uniform(0, 0.08)
    lines = [np.stack([inner_l, arch, inner_r])]
    for hinge, ear in ((left - across * half_w * 0.97, mesh[127, :2]), (right + across * half_w * 0.97, mesh[356, :2])):
        start = hinge + (drop - half_h * rng.uniform(0, 0.7)) * down
        lines.append(np.stack([start, ear + (ear - start) * rng.uniform(0, 0.6)]))
    for line in lines:
        cv2.polylines(rim, [np.round(line * 16).astype(np.int32)], False, 255, thick, cv2.LINE_AA, 4)
    frame = (
        some_texture(rng, others)
        if rng.random() < 0.3
        else np.full((CROP, CROP, 3), rng.uniform(5, 90)) * rng.normal(1, 0.1, 3)
    )
    frame = frame.astype(np.float32)
    if rng.random() < 0.35:  # gold, silver or a light plastic
        frame = frame + np.array([120, 110, 95], np.float32) * rng.uniform(0.6, 1.4)
    cover = np.zeros_like(lens)
    choice = rng.random()
    tint = np.full((CROP, CROP, 3), rng.uniform(5, 60), np.float32) * rng.uniform(0.7, 1.3, 3).astype(np.float32)
    if choice < 0.22:  # sunglasses
        cover = lens * np.float32(rng.uniform(0.7, 1.0))
        tint += 25 * smooth_noise(rng, 4)[..., None]
    elif choice < 0.5:  # a window mirrored in the lens
        streak = np.clip(np.sin(_GRID @ rng.normal(0, 0.06, 2) + rng.uniform(0, 6)) * 4 - 2.5, 0, 1)
        cover = (lens * streak * rng.uniform(0.2, 0.8)).astype(np.float32)
        tint = np.full((CROP, CROP, 3), rng.uniform(170, 255), np.float32)
    return _over(_layer(tint, cover), _layer(frame, rim / np.float32(255)))


def blob(rng: Rng, still: Still, others: Sequence[Still]) -> Layer:
    """Lay on some shape with some texture."""
    centre, size = _anchor(rng, still), rng.uniform(15, 75)
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    wobble = sum(rng.normal(0, 0.35 / k) * np.cos(k * angles + rng.uniform(0, 6)) for k in range(1, 6))
    radius = size * np.maximum(1 + wobble, 0.15)
    squash = rng.uniform(0.4, 1.0)
    shape = centre + np.stack([np.cos(angles) * radius, np.sin(angles) * radius * squash], axis=1)
    alpha = cv2.GaussianBlur(_fill(shape.astype(np.float32)), (0, 0), rng.uniform(0.4, 1.5))
    texture = some_texture(rng, others)
    if rng.random() < 0.35:  # another one's bare arm or shoulder
        bumps = 1 + 0.15 * smooth_noise(rng, 3)
        texture = skin_tone(rng, still, others) * (bumps * _skin_detail(rng, others))[..., None]
    return _layer(np.asarray(texture, np.float32), alpha)


KINDS: Final[dict[str, tuple[Draw, float]]] = {
    "photo_hand": (photo_hand, 0.28),
    "drawn_hand": (drawn_hand, 0.20),
    "glasses": (glasses, 0.18),
    "hair": (hair, 0.12),
    "blob": (blob, 0.09),
    "phone": (phone, 0.04),
    "microphone": (microphone, 0.05),
    "face_mask": (face_mask, 0.04),
}
"""What is trained on, and how often."""
NEVER_TRAINED: Final[dict[str, Draw]] = {"cup": cup, "paper": paper}
"""Kinds that only measure."""
