"""Files that end the process that reads them are found out, and harm nothing else."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that

from tests.conftest import ROOT
from tests.reading_files import make_mail, picture_of, read_all, write
from transforms.reading import DEFAULT_LIMITS, Limits, ReadError
from transforms.reading.inputs import ReadInputs
from transforms.reading.isolation import IsolatedReader, _Child, shared_reader
from transforms.records import Blob, DeadLetter, Document

WAIT = 120  # seconds; far more than any of this takes
LITTLE = Limits(max_memory=250_000_000)  # enough for plain text, too little for OCR


@pytest.fixture(autouse=True)
def no_other_child():
    """Other tests may have left the child of this process's shared reader."""
    shared_reader().close()


@pytest.fixture
def reader():
    made = IsolatedReader()
    yield made
    made.close()


@pytest.fixture(scope="module")
def long_scan(tmp_path_factory):
    """A scan of so many pages that its recognition takes minutes on any machine."""
    path = tmp_path_factory.mktemp("scan") / "scan.tiff"
    page = picture_of("A page of a long scan", "that says the same on all").convert("1")
    page.save(path, save_all=True, append_images=[page] * 1_000, compression="group4")
    return path


def blob_of(path: Path) -> Blob:
    return Blob(str(path), path.read_bytes())


def good(reader: IsolatedReader) -> bool:
    """Whether a file that harms nobody is read."""
    (document,) = reader.read(Blob("good.txt", b"Acme Ltd is based in Oslo."))
    return document.text == "Acme Ltd is based in Oslo."


def children(parent: int) -> list[int]:
    """The processes that read for a process and have not ended."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, of = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if int(of) == parent and state != "Z" and b"transforms.reading.isolation" in command:
            found.append(int(folder.name))
    return found


def until(condition):
    """Wait until something is so; return it."""
    deadline = time.monotonic() + WAIT
    while not (found := condition()):
        assert time.monotonic() < deadline, "has not come to be"
        time.sleep(0.02)
    return found


def works(process: int) -> bool:
    """Whether a process has worked for two seconds: it is past its start, and at the file."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return int(user) + int(system) > 2 * os.sysconf("SC_CLK_TCK")


def ended(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_what_is_read_is_the_same(reader, tmp_path):
    picture_of("Invoice from Contoso", "Total 1200 EUR").save(tmp_path / "a.png")
    write(tmp_path / "a.eml", make_mail().as_bytes())
    write(tmp_path / "a.jsonl", '{"text": "The first text."}\n{"text": broken\n{"text": "The third text."}\n')
    for name in ("a.png", "a.eml", "a.jsonl"):
        assert list(reader.read(blob_of(tmp_path / name))) == read_all(tmp_path / name)
    with pytest.raises(ReadError) as plain:
        read_all(write(tmp_path / "a.pdf", "no pdf at all"))
    (before,) = children(os.getpid())
    with pytest.raises(ReadError) as isolated:
        list(reader.read(blob_of(tmp_path / "a.pdf")))
    assert str(isolated.value) == str(plain.value)
    assert good(reader)
    assert children(os.getpid()) == [before], "a file that cannot be read costs no new process"


def test_a_file_that_takes_too_much_memory(reader, tmp_path):
    picture_of("Invoice from Contoso").save(tmp_path / "a.png")
    with pytest.raises(ReadError, match=r"a\.png: needs more than 250 MB of memory .* raise max_memory"):
        list(reader.read(blob_of(tmp_path / "a.png"), LITTLE))
    assert good(reader)


def test_a_file_that_takes_too_long(reader, long_scan):
    with pytest.raises(ReadError, match=r"scan\.tiff: takes longer than 1 s .* raise max_seconds"):
        list(reader.read(blob_of(long_scan), Limits(max_seconds=1)))
    assert good(reader)


def test_a_crash_is_named_and_the_rest_is_read(reader, long_scan):
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(lambda: list(reader.read(blob_of(long_scan))))
        (child,) = until(lambda: children(os.getpid()))
        until(lambda: works(child))
        os.kill(child, signal.SIGSEGV)
        with pytest.raises(ReadError, match=r"scan\.tiff: killed its reader: signal 11 \(SIGSEGV\)"):
            reading.result(WAIT)
    assert good(reader)


def test_a_process_that_ended_between_files_is_replaced(reader):
    assert good(reader)
    (child,) = children(os.getpid())
    os.kill(child, signal.SIGKILL)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert good(reader)
    assert children(os.getpid()) != [child]


def test_memory_that_stays_taken_does_not_count_against_the_next_file(reader, tmp_path):
    picture_of("Invoice from Contoso").save(tmp_path / "a.png")
    list(reader.read(blob_of(tmp_path / "a.png"), Limits(max_memory=4_000_000_000)))
    (child,) = reader._resting
    # The models stay in memory: another time more of it than now, but always more than half of this.
    enough = Limits(max_memory=child.memory() * 3 // 2)
    (_,) = reader.read(Blob("good.txt", b"Acme Ltd is based in Oslo."), enough)
    assert children(os.getpid()) == []


def test_threads_share_a_reader(reader):
    texts = [f"Text number {number} of all.".encode() for number in range(40)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: next(iter(reader.read(Blob("a.txt", text)))), texts))
    assert [document.text.encode() for document in found] == texts
    reader.close()
    assert children(os.getpid()) == []


def test_reading_that_is_given_up_ends_the_process(reader):
    rows = b'{"text": "One row of many."}\n' * 100_000
    items = reader.read(Blob("a.jsonl", rows))
    assert isinstance(next(items), Document)
    items.close()
    assert children(os.getpid()) == []
    assert good(reader)


def test_a_write_to_the_process_does_not_end_it():
    """The kernel's signal of a write may come late: after what was written has been read."""
    child = _Child()
    try:
        items = child.read(Blob("a.jsonl", b'{"text": "One row of many."}\n' * 10_000), DEFAULT_LIMITS, "text")
        next(items)
        requests = child._process.stdin
        assert requests is not None
        requests.write(b"the next request")
        requests.flush()
        assert len(list(items)) == 9_999
    finally:
        child.end()


def test_one_file_kills_its_reader_and_the_others_arrive(tmp_path):
    picture_of("Invoice from Contoso").save(tmp_path / "b.png")
    for name in ("a.txt", "c.md", "d.html"):
        write(tmp_path / name, "<p>Acme Ltd is based in Oslo.</p>" if name == "d.html" else "Acme Ltd is in Oslo.")

    def check_documents(documents):
        assert sorted(Path(found.uri).name for found in documents) == ["a.txt", "c.md", "d.html"]

    def check_letters(letters):
        (letter,) = letters
        assert isinstance(letter, DeadLetter)
        assert (letter.uri, letter.stage) == (str(tmp_path / "b.png"), "read")
        assert "needs more than 250 MB" in letter.cause

    with beam.Pipeline() as pipeline:
        documents, letters = pipeline | ReadInputs([f"{tmp_path}/**"], limits=LITTLE)
        assert_that(documents, check_documents, "Documents")
        assert_that(letters, check_letters, "Letters")


@pytest.mark.parametrize("busy", [True, False])
def test_the_process_does_not_outlive_a_killed_parent(long_scan, busy):
    read = f"""
import sys
from pathlib import Path
from transforms.reading.isolation import IsolatedReader
from transforms.records import Blob
reader = IsolatedReader()
list(reader.read(Blob("a.txt", b"Acme Ltd is based in Oslo.")))
print(flush=True)
if {busy}:
    list(reader.read(Blob("scan.tiff", Path({str(long_scan)!r}).read_bytes())))
sys.stdin.read()
"""
    command = [sys.executable, "-c", read]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        (child,) = children(parent.pid)
        if busy:
            until(lambda: works(child))
        parent.kill()
    until(lambda: ended(child))
