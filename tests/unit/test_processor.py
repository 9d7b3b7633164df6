"""How many cores this process may use, by affinity and by control groups as Linux shows them."""

import pytest

from mien.processor import cores, processor_name


@pytest.fixture(autouse=True)
def _eight(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(8)), raising=False)


@pytest.fixture
def found(tmp_path):
    """Return what `cores` finds where control groups have these files and this process is in these groups."""

    def found(own: str, **files: str) -> float:
        groups = tmp_path / "cgroup"
        groups.mkdir()
        for name, text in files.items():
            path = groups / name.replace("__", "/").replace("cpu_", "cpu.")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (tmp_path / "own").write_text(own)
        return cores(groups, tmp_path / "own")

    return found


def test_without_control_groups_affinity_counts(tmp_path):
    assert cores(tmp_path / "none", tmp_path / "none") == 8


def test_a_quota_of_version_2_is_kept(found):
    assert found("0::/app\n", app__cpu_max="150000 100000\n") == 1.5


def test_a_quota_of_a_group_above_counts_too(found):
    assert found("0::/a/b\n", a__cpu_max="50000 100000\n", a__b__cpu_max="max 100000\n") == 0.5


def test_in_a_container_its_own_group_is_at_the_top(found):
    assert found("0::/docker/0123\n", cpu_max="200000 100000\n") == 2


def test_a_quota_of_version_1_is_kept(found):
    files = {"cpu,cpuacct__x__cpu_cfs_quota_us": "300000", "cpu,cpuacct__x__cpu_cfs_period_us": "100000"}
    assert found("5:memory:/x\n4:cpu,cpuacct:/x\n", **files) == 3


@pytest.mark.parametrize("text", ["max 100000", "", "a b", "1 0", "100000", "-1 100000 7"])
def test_no_quota_and_nonsense_leave_the_affinity(found, text):
    assert found("0::/\n", cpu_max=text) == 8


def test_it_is_never_nothing(found):
    assert found("0::/\n", cpu_max="1 100000") == 0.1


def test_a_processor_has_a_name(tmp_path):
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Example 3000\nmodel name\t: other\n")
    assert processor_name(info) == "Example 3000"
    assert processor_name(tmp_path / "none") is not None
