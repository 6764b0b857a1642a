"""Every broken input ends in a clear error, whatever it does to the parser."""

import resource
from pathlib import Path

import pytest

from tests.broken import make_broken
from transforms.reading import ReadError, read_blob
from transforms.records import Blob, DeadLetter

MAX_MEMORY = 4 << 30  # bytes


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    return make_broken(tmp_path_factory.mktemp("broken"))


def read(path: Path) -> list[str]:
    """Read a broken file; return what is said about it. Anything but errors is a failure."""
    try:
        items = list(read_blob(Blob(str(path), path.read_bytes())))
    except ReadError as error:
        return [str(error)]
    assert items
    assert all(isinstance(item, DeadLetter) for item in items), f"{path.name} was read: {items[:1]!r:.300}"
    return [item.cause for item in items]


def test_broken_inputs_end_in_clear_errors(broken):
    assert len(broken) == 200
    for path in broken:
        for cause in read(path):
            assert path.name in cause
            assert "\n" not in cause
            assert len(cause.removeprefix(str(path))) > 20, f"says too little: {cause}"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert peak < MAX_MEMORY, f"reading took {peak:,} bytes"


def test_broken_inputs_are_the_same_for_a_seed(tmp_path):
    kinds = 60
    first, second = (make_broken(tmp_path / name, kinds) for name in ("a", "b"))
    assert [path.name for path in first] == [path.name for path in second]
    differ = [one.name for one, other in zip(first, second, strict=True) if one.read_bytes() != other.read_bytes()]
    assert differ == []


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("truncated_pdf", r"truncated|does not begin"),
        ("encrypted_pdf", "encrypted"),
        ("html_pdf", "holds HTML"),
        ("empty_pages_pdf", "no text found"),
        ("bomb_docx", "max_unzipped"),
        ("ratio_docx", "max_ratio"),
        ("lying_docx", "damaged"),
        ("many_members_docx", "members"),
        ("other_docx", "no Word document"),
        ("long_line", "max_line|max_chars"),
        ("deep_html", "max_depth"),
        ("deep_html_in_mail", "max_depth"),
        ("utf16_txt", "UTF-16 without a byte order mark"),
        ("random_txt", "binary data"),
        ("huge_png", "pixels"),
        ("large_png", "max_pixels"),
        ("blank_png", "no text found"),
        ("other_column_parquet", "'body'"),
        ("headless_mail", "no mail headers"),
        ("unsupported", ".xyz is not supported"),
        ("empty", r"empty \(0 bytes\)"),
    ],
)
def test_cause_is_named(broken, kind, cause):
    path = next(path for path in broken if path.stem.endswith(f"-{kind}"))
    with pytest.raises(ReadError, match=cause):
        list(read_blob(Blob(str(path), path.read_bytes())))
