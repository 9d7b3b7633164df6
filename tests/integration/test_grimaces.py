"""An enrolled person who shouts and turns stays shown; a stranger who takes their place meanwhile is hidden."""

import pytest

from benchmarks.vision.clearance.heads import Mover, background
from benchmarks.vision.grimaces import grimacing
from benchmarks.vision.portraits import View, cut_portrait, turned
from mien.app.face_photos import FacePhoto, Person
from mien.app.files.options import file_spec
from mien.vision.analysis.landmarks import gape_of_mesh, yaw_of_mesh
from support.photos import as_png, astronaut, hopper

pytestmark = pytest.mark.models
FPS = 20
WHOLE = (0, 0, 1280, 720)


@pytest.fixture(scope="module")
def portraits(factory):
    photos = {"alice": astronaut(), "grace": hopper()}
    return {
        name: cut_portrait(name, photo, factory.assessor.one_face(photo, name=name).mesh)
        for name, photo in photos.items()
    }


@pytest.fixture
def pipeline(factory):
    photo = FacePhoto.from_bytes(as_png(astronaut()), name="alice.png")
    return factory.pipeline(file_spec(show=(Person("alice", (photo,)),), delay_frames=0), fps=FPS)


@pytest.fixture
def counts(pipeline):
    """Return what treats one frame for each mover, all in the same place, and tells how many faces it showed."""

    def play(movers):
        out = []
        for i, mover in enumerate(movers):
            frame = background()
            mover.draw(frame, (640, 360), WHOLE, i)
            out.append(pipeline(frame, at=i / FPS).counts.get("show", 0))  # a pasted collar may pass for a face, too
        return out

    return play


@pytest.fixture
def heads(portraits):
    """Return what makes a head for each width of the mouth, turned by degrees."""

    def make(name, *wide, yaw=0.0):
        posed = turned(portraits[name], yaw=yaw, pitch=0)
        look = View(face_px=130, noise=2, jpeg=85)
        wider = [grimacing(posed, mouth=mouth, squint=2 * mouth) for mouth in wide]
        return [Mover(portrait, look, seed=1) for portrait in wider]

    return make


def test_composed_grimaces_are_grimaces_and_turned_heads_are_turned(factory, portraits):
    alice = portraits["alice"]
    wide = grimacing(alice, mouth=0.14)
    aside = turned(alice, yaw=-30, pitch=0)
    meshes = [factory.assessor.one_face(portrait.image, name="portrait").mesh for portrait in (alice, wide, aside)]
    assert [gape_of_mesh(mesh) > 0.18 for mesh in meshes] == [False, True, False]
    assert [yaw_of_mesh(mesh) > 0.45 for mesh in meshes] == [False, False, True]


def test_who_shouts_for_seconds_stays_shown(counts, heads):
    calm, wide, wider = heads("alice", 0.0, 0.08, 0.16)
    shouting = [(wide, wider, wider, wide)[i // 3 % 4] for i in range(3 * FPS)]
    got = counts([calm] * 30 + shouting)
    assert got[29] == 1
    assert sum(got[30:]) >= 0.9 * len(shouting)


def test_a_stranger_who_takes_the_place_of_somebody_who_shouts_is_never_shown(counts, heads):
    calm, wide = heads("alice", 0.0, 0.14)
    (stranger,) = heads("grace", 0.14)
    got = counts([calm] * 30 + [wide] * 12 + [stranger] * 2 * FPS)
    assert got[41] == 1
    assert not any(got[42:])


@pytest.mark.parametrize(("name", "yaw", "shown"), [("alice", -22, True), ("grace", -22, False), ("grace", -26, False)])
def test_who_looks_aside_and_shouts_all_the_time_is_recognised_and_a_stranger_is_not(counts, heads, name, yaw, shown):
    got = counts(heads(name, 0.1, yaw=yaw) * 50)
    assert (got[-1] == 1) is shown
    assert shown or not any(got)
