"""Which processors run 8-bit networks as they were made."""

import platform

import pytest

from mien.inference.hardware import has_int8_dot_products


@pytest.mark.skipif(platform.system() != "Linux", reason="reads what Linux tells of its processors")
@pytest.mark.parametrize(
    ("flags", "quick"),
    [
        ("flags\t\t: fpu avx2 avx512f avx512_vnni", True),
        ("flags\t\t: fpu avx2 avx_vnni", True),
        ("Features\t: fp asimd asimddp", True),
        ("flags\t\t: fpu avx2 avx512f avx512bw", False),
        ("flags\t\t: fpu not_avx512_vnni", False),
    ],
)
def test_a_processor_is_known_by_its_flags(tmp_path, flags, quick):
    told = tmp_path / "cpuinfo"
    told.write_text(f"processor\t: 0\n{flags}\n")
    assert has_int8_dot_products(told) is quick


def test_a_machine_that_tells_nothing_gets_the_exact_network(tmp_path):
    if platform.system() == "Linux":
        assert has_int8_dot_products(tmp_path / "missing") is False
