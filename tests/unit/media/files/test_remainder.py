"""What lies behind the last packet that was read."""

import pytest

from mien.media.files.remainder import film_behind


def box(kind, size, *, long=False):
    if long:
        return (1).to_bytes(4) + kind + (size + 16).to_bytes(8) + bytes(size)
    return (size + 8).to_bytes(4) + kind + bytes(size)


FILM = box(b"ftyp", 8) + box(b"mdat", 100)


@pytest.mark.parametrize(
    ("file", "behind"),
    [
        pytest.param(FILM, 0, id="nothing"),
        pytest.param(FILM + box(b"moov", 500) + box(b"free", 50), 0, id="an index with a cover picture"),
        pytest.param(FILM + box(b"uuid", 500, long=True), 0, id="a description with a long size"),
        pytest.param(FILM + bytes(4) + b"free" + bytes(300), 0, id="a box to the end"),
        pytest.param(FILM + box(b"mdat", 500), 508, id="more of the film"),
        pytest.param(FILM + box(b"moov", 50) + FILM + box(b"moov", 500), len(FILM) + 508, id="a second file"),
        pytest.param(FILM + b"no box at all", 13, id="something else"),
        pytest.param(FILM + box(b"moov", 500)[:200], 0, id="an index that is cut off"),
        pytest.param(b"\x1aE\xdf\xa3" + bytes(len(FILM) - 4) + box(b"moov", 92), 100, id="another kind of file"),
    ],
)
def test_in_an_mp4_index_and_description_are_no_more_of_the_film(tmp_path, file, behind):
    path = tmp_path / "file"
    path.write_bytes(file)
    assert film_behind(path, len(FILM)) == behind


def test_a_file_that_has_gone_has_nothing_behind(tmp_path):
    assert film_behind(tmp_path / "gone", 0) == 0
