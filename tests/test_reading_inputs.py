"""What is read of the folders, globs and files that a user names, and what is said of the rest."""

import os
import socket
from email.message import EmailMessage

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that

from kg_sink.server import STATE
from tests.reading_files import make_mail, write
from transforms.dead_letters import letter
from transforms.letter_box import Filed, inputs_to_replay
from transforms.reading.inputs import InputError, ReadInputs, expand_inputs, find_files, inputs_within
from transforms.reading.watching import list_files


@pytest.fixture
def folder(tmp_path):
    """A folder, itself in a hidden one, with hidden files and folders in it."""
    top = tmp_path / ".work" / "docs"
    for name in ("a.txt", ".b.txt", ".git/c.txt", ".git/.d.txt", "sub/e.txt", "sub/.x/y/f.txt", "sub/g[1]/h.txt"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        write(top / name, "Acme Ltd is based in Oslo.")
    return top


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", ["a.txt", "sub/e.txt", "sub/g[1]/h.txt"]),
        ("sub/", ["sub/e.txt", "sub/g[1]/h.txt"]),
        ("*.txt", ["a.txt"]),
        ("**.txt", ["a.txt", "sub/e.txt", "sub/g[1]/h.txt"]),
        (".b.txt", [".b.txt"]),
        (".git", [".git/c.txt"]),
        (".git/*", [".git/c.txt"]),
        (".*/c.txt", [".git/c.txt"]),
        (".git/.d.txt", [".git/.d.txt"]),
        ("sub/.x", ["sub/.x/y/f.txt"]),
        ("sub/g[1]", ["sub/g[1]/h.txt"]),
    ],
)
def test_hidden_files_are_read_only_if_they_are_named(folder, given, expected):
    (pattern,) = expand_inputs([f"{folder}/{given}"])
    assert sorted(os.path.relpath(found.path, folder) for found in find_files(pattern)) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", ["a.txt"]),
        ("**", ["a.txt"]),
        ("**/*.jsonl", []),
        ("out/dead", ["out/dead/run-1.jsonl"]),
        ("kg", ["kg/config/c.json", "kg/graph-server.json", "kg/password"]),
        ("kg/config/*.json", ["kg/config/c.json"]),
        ("kg/password", ["kg/password"]),
    ],
)
def test_what_tripleflow_keeps_is_read_only_if_it_is_named(tmp_path, given, expected):
    for name in ("a.txt", f"kg/{STATE}", "kg/password", "kg/config/c.json", "out/dead/run-1.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path / name, "Acme Ltd is based in Oslo.")
    (pattern,) = expand_inputs([f"{tmp_path}/{given}"])
    own = [os.path.realpath(tmp_path / "out" / "dead")]
    assert sorted(os.path.relpath(found.path, tmp_path) for found in find_files(pattern, own)) == expected
    assert {os.path.relpath(path, tmp_path) for path in list_files([pattern], own)} == set(expected)


def test_what_a_run_reads_again(folder):
    files = [f"{folder}/{name}" for name in ("a.txt", ".b.txt", "sub/e.txt", "gone.txt", "sub")]
    (a, hidden, e, gone, sub) = files
    for given, expected in (
        ("", [a, e, gone]),
        ("sub", [e, sub]),
        ("*.txt", [a, gone]),
        (".b.txt", [hidden]),
        ("sub/e.txt", [e]),
    ):
        assert inputs_within(expand_inputs([f"{folder}/{given}"]), files) == expected


def test_inputs_that_name_nothing(folder):
    with pytest.raises(InputError, match=r"a\.tx: no such file or folder; did you mean .*a\.txt\?"):
        expand_inputs([f"{folder}/a.tx"])
    (folder / "e[1]" / "f").mkdir(parents=True)
    for name in ("e[1]", "e[1]/f/"):
        with pytest.raises(InputError, match=r"e\[1\].*: the folder holds no file; put documents into it"):
            expand_inputs([f"{folder}/{name}"])


def test_pipes_sockets_and_devices_are_dead_letters(tmp_path, monkeypatch):
    write(tmp_path / "a.txt", "Acme Ltd is based in Oslo.")
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "zero.txt").symlink_to("/dev/zero")

    def check_documents(documents):
        assert [found.uri for found in documents] == [str(tmp_path / "a.txt")]

    def check_letters(letters):
        assert sorted(found.cause.partition(";")[0] for found in letters) == [
            f"{tmp_path}/pipe.txt: is a named pipe (FIFO) and no file",
            f"{tmp_path}/socket.txt: is a socket and no file",
            f"{tmp_path}/zero.txt: is a device and no file",
        ]
        assert {found.uri for found in letters} == {found.replay["input"] for found in letters}

    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)  # a socket's path must be short
        server.bind("socket.txt")
        with beam.Pipeline() as pipeline:
            documents, letters = pipeline | ReadInputs(expand_inputs([str(tmp_path), f"{tmp_path}/*.txt"]))
            assert_that(documents, check_documents, "Documents")
            assert_that(letters, check_letters, "Letters")


def test_letters_name_the_file_to_read_again_whatever_its_name(tmp_path):
    inner = make_mail()
    inner.add_attachment(b'{"text": "The first text."}\n{"text": broken\n', "text", "plain", filename="rows.jsonl")
    outer = EmailMessage()
    outer["From"], outer["Subject"] = "Eve <eve@example.com>", "A mail with a mail"
    outer.set_content("See the mail that is attached.")
    outer.add_attachment(inner)
    path = write(tmp_path / "no#1#.eml", outer.as_bytes())

    def check_documents(documents):
        found = [letter("analyse", document, ValueError("fails later")) for document in documents]
        assert len({item.uri for item in found}) == 6
        assert inputs_to_replay(Filed(item, "run-1") for item in found) == [str(path)]

    def check_letters(letters):
        assert sorted(item.uri.rsplit("#", 1)[1] for item in letters) == ["a_b_c.pdf", "row-2"]
        assert inputs_to_replay(Filed(item, "run-1") for item in letters) == [str(path)]

    with beam.Pipeline() as pipeline:
        documents, letters = pipeline | ReadInputs(expand_inputs([str(path)]))
        assert_that(documents, check_documents, "Documents")
        assert_that(letters, check_letters, "Letters")
