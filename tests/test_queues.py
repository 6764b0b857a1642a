"""Queues, from the message on; the whole job by Beam's own test stream, on its local runner with timers."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.coders import PickleCoder
from apache_beam.io.gcp.pubsub import PubsubMessage
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing import test_stream
from apache_beam.transforms.window import TimestampedValue

from kg_sink import server
from kg_sink.connection import resolve_target
from kg_sink.messages import RetractMessages
from kg_sink.queries import run_query
from pipelines import structure
from tests.conftest import SAMPLES, tripleflow
from transforms.letter_box import inputs_to_replay, read_letters
from transforms.reading import Limits
from transforms.reading.inputs import InputError
from transforms.reading.messages import Message, event_time, of_kafka, of_pubsub, read_message
from transforms.reading.queues import ReadMessages, ReadQueue, check_queues, kafka_source, parse_queue
from transforms.records import DeadLetter, Document, Retraction

BORN = "Kari Halvorsen was born in Bergen on 2 May 1961."
MOVED = "Kari Halvorsen was born in Oslo on 2 May 1961."
SUBSCRIPTION = "projects/project/subscriptions/s"
SENT = 1_700_000_000_000
MAILS = sorted((SAMPLES / "documents" / "mail").glob("*.eml"))
MAIL = next(path for path in MAILS if b"attachment" in path.read_bytes())


def message(place: int, content: bytes | None, uri: bytes | str | None = None, deleted: bool = False) -> Message:
    return Message(f"topic/0/{place}", content, uri, SENT + place, place, deleted)


def envelope(place: int, **fields: object) -> Message:
    return message(place, json.dumps(fields).encode())


def packed(content: bytes) -> str:
    return base64.b64encode(content).decode()


def read(found: Message) -> list[Document | Retraction | DeadLetter]:
    return list(read_message(found, Limits()))


def test_a_message_holds_a_text_or_a_file_of_any_format() -> None:
    (text,) = read(envelope(1, uri="crm/7", text=BORN, title="A note", date="2024-05-06"))
    (file,) = read(envelope(1, uri="crm/8.html", content_base64=packed(f"<html><p>{BORN}</html>".encode())))
    (keyed,) = read(message(1, BORN.encode(), b"crm/9.txt"))
    assert isinstance(text, Document)
    assert (text.uri, text.text, text.title, text.date) == ("crm/7", BORN, "A note", "2024-05-06")
    assert isinstance(file, Document)
    assert (file.format, file.text.strip()) == ("html", BORN)
    assert isinstance(keyed, Document)
    assert (keyed.uri, keyed.text, keyed.version) == ("crm/9.txt", BORN, message(1, b"").version)


def test_attachments_come_along_and_know_their_message() -> None:
    found = read(message(3, MAIL.read_bytes(), "mail/1.eml"))
    assert len(found) > 1
    assert all(isinstance(item, Document) for item in found)
    assert {item.source or item.uri for item in found if isinstance(item, Document)} == {"mail/1.eml"}
    assert {item.version for item in found if isinstance(item, Document)} == {message(3, b"").version}


@pytest.mark.parametrize(
    "deletion",
    [message(4, None, b"a.txt"), message(4, b"", "a.txt", deleted=True), envelope(4, uri="a.txt", deleted=True)],
)
def test_a_deletion_is_a_tombstone_an_attribute_or_a_field(deletion: Message) -> None:
    assert read(deletion) == [Retraction("a.txt", deletion.version)]


@pytest.mark.parametrize(
    ("bad", "cause"),
    [
        (message(5, b"not json"), "no JSON object"),
        (message(5, b'{"uri": "a", '), "no valid JSON"),
        (message(5, b"{" * 100_000), "no valid JSON"),
        (message(5, b'{"text": "a"}'), "without 'uri'"),
        (message(5, None), "neither key nor content"),
        (message(5, b"text", b"\xff\xfe"), "not UTF-8"),
        (message(5, b"", b"a.txt"), "empty"),
        (envelope(5, uri="", text="a"), "URI is empty"),
        (envelope(5, uri=7, text="a"), "URI is empty or no text"),
        (envelope(5, uri="\ud800", text="a"), "half a character"),
        (envelope(5, uri="a"), "neither of 'text' and 'content_base64'"),
        (envelope(5, uri="a", text="a", content_base64="YQ=="), "both"),
        (envelope(5, uri="a", text=["a"]), "is list, not text"),
        (envelope(5, uri="a", text=" \n"), "empty"),
        (envelope(5, uri="a", content_base64="%"), "no base64"),
        (envelope(5, uri="a", content_base64=7), "no base64"),
        (envelope(5, uri="a.pdf", content_base64=packed(b"%PDF-1.4 broken")), "a.pdf"),
        (envelope(5, uri="a.zip", content_base64=packed(b"PK\x03\x04")), "not supported"),
    ],
)
def test_a_bad_message_is_one_letter_that_names_its_place(bad: Message, cause: str) -> None:
    (letter,) = read(bad)
    assert isinstance(letter, DeadLetter)
    assert cause in letter.cause
    assert letter.replay == {"message": "topic/0/5"}


def test_records_of_kafka_and_pubsub_become_messages() -> None:
    row = beam.Row(topic="t", partition=2, offset=9, timestamp=SENT, key=b"a.txt", value=None, headers=[])
    assert of_kafka(row) == Message("t/2/9", None, b"a.txt", SENT, 9)
    sent = datetime.fromtimestamp(SENT / 1_000, UTC).replace(microsecond=1_002)
    found = of_pubsub(
        PubsubMessage(b"x", {"uri": "a.txt", "deleted": "true"}, "7", sent), "projects/project/subscriptions/s"
    )
    assert found == Message(f"{SUBSCRIPTION}/7", b"x", "a.txt", SENT + 1, 2, deleted=True)


def test_versions_order_as_messages_were_sent() -> None:
    times = [Message("", b"", None, *when).version for when in ((0, 5), (999, 7), (1_000, 2), (1_000, 10))]
    assert times == sorted(times)


def test_a_document_is_of_its_own_date_or_of_its_messages_time() -> None:
    (dated,) = read(envelope(0, uri="a", text=BORN, date="1970-01-02"))
    (undated,) = read(envelope(0, uri="a", text=BORN))
    assert isinstance(dated, Document)
    assert isinstance(undated, Document)
    assert event_time(dated, message(0, b"")) == 86_400
    assert event_time(undated, message(0, b"")) == SENT / 1_000


def test_queues_are_named_as_inputs(tmp_path: Path) -> None:
    settings = (
        '# by Kafka\'s tools\nsecurity.protocol: SSL\ngroup.id=theirs\nsasl.jaas.config=Plain \\\n  username="a";\n'
    )
    (tmp_path / "client.properties").write_text(settings)
    kafka = parse_queue(f"kafka://a:9092,b:9092/docs?group=g&from=latest&properties={tmp_path}/client.properties")
    assert kafka.name == "docs"
    assert dict(kafka.consumer) == {
        "bootstrap.servers": "a:9092,b:9092",
        "group.id": "g",
        "auto.offset.reset": "latest",
        "enable.auto.commit": "false",
        "security.protocol": "SSL",
        "sasl.jaas.config": 'Plain username="a";',
    }
    assert parse_queue(f"pubsub://{SUBSCRIPTION}").name == SUBSCRIPTION


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("kafka://a:9092/docs", "no group"),
        ("kafka://a:9092/?group=g", "not a topic"),
        ("kafka:///docs?group=g", "not a topic"),
        ("kafka://a:9092/docs?group=g&form=latest", "no parameter 'form'"),
        ("kafka://a:9092/docs?group=g&from=now", "neither earliest nor latest"),
        ("kafka://a:9092/docs?group=g&properties=none", "cannot be read"),
        ("pubsub://projects/project/topics/t", "not a subscription"),
    ],
)
def test_what_names_no_queue_says_how_to_write_it(text: str, cause: str) -> None:
    with pytest.raises(InputError, match=cause):
        parse_queue(text)


def test_beams_connectors_take_what_queues_give_them() -> None:
    kafka = parse_queue("kafka://broker-a:9092/docs?group=readers")
    assert b"broker-a:9092" in kafka_source(kafka)._payload
    found = beam.Pipeline() | ReadQueue(parse_queue(f"pubsub://{SUBSCRIPTION}"))
    assert [collection.is_bounded for collection in found] == [False, False, False]


def test_a_queue_that_cannot_be_read_here_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kafka = parse_queue("kafka://a:9092/docs?group=g")
    with pytest.raises(InputError, match="--runner=FlinkRunner"):
        check_queues([kafka], "DirectRunner", {})
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(InputError, match="install a Java runtime"):
        check_queues([kafka], "FlinkRunner", {})
    check_queues([kafka], "FlinkRunner", {"sdks:java:io:expansion-service:shadowJar": "localhost:8097"})


def test_the_command_line_takes_queues_as_inputs(tmp_path: Path) -> None:
    queue = "kafka://localhost:9/docs?group=g"
    for options, cause in (
        ((), "--runner=FlinkRunner"),
        (("--parquet", "tables"), "a stream writes no tables"),
        (("--watch",), "--watch is for folders"),
    ):
        ran = tripleflow("run", queue, *options, cwd=tmp_path)
        assert ran.code == 2
        assert cause in ran.err
        assert len(ran.err.splitlines()) == 1


def run_stream(bundles: list[list[Message]], folder: Path) -> structure.Job:
    """Bundles of messages through the job; the watermark and the clock go on after each."""
    given = [f"--input={MAIL}", f"--graph={folder}", f"--dead_letters={folder / 'dead'}", "--streaming"]
    options = PipelineOptions(given)
    job = structure.check(options)
    stream = test_stream.TestStream(coder=PickleCoder())
    for number, bundle in enumerate(bundles):
        stream.add_elements([TimestampedValue(found, SENT // 1_000 + number) for found in bundle])
        stream.advance_watermark_to(SENT // 1_000 + number).advance_processing_time(5)
    stream.advance_watermark_to_infinity()
    pipeline = beam.Pipeline(options=options)
    documents, retractions, lost = pipeline | stream | ReadMessages()
    _, dead = retractions | RetractMessages(job.connection)
    structure.compose(documents, [lost, dead], job, clocked=True)
    pipeline.run().wait_until_finish()
    return job


def test_a_stream_leaves_what_its_latest_messages_say(tmp_path: Path) -> None:
    bundles = [
        # Two versions of one document in one batch; and a deletion that overtakes what it deletes.
        [envelope(1, uri="a", text=BORN), envelope(2, uri="a", text=MOVED), envelope(3, uri="b", text=BORN)],
        [envelope(4, uri="c", text=BORN), message(5, None, b"c"), message(6, MAIL.read_bytes(), b"d.eml")],
        # What was sent before comes late, and what came comes again; a mail is deleted with what hangs on it.
        [envelope(1, uri="a", text=BORN), envelope(3, uri="b", text=BORN), message(7, None, b"d.eml")],
        [message(8, b"not json"), envelope(9, uri="e", text=BORN), envelope(10, uri="e", deleted=True)],
        [envelope(11, uri="e", text=MOVED)],
    ]
    folder = tmp_path / "kg"
    try:
        run_stream(bundles, folder)
        connection = resolve_target(str(folder))
        rows = run_query(connection, "MATCH (d:Document) RETURN d.uri AS uri ORDER BY uri")
        assert [row["uri"] for row in rows] == ["a", "b", "e"]
        born = "MATCH (:Statement {relation: 'BORN_IN'})<-[:SUPPORTS]-(v:Evidence)-[:FROM]->(d:Document) "
        rows = run_query(connection, born + "RETURN d.uri AS uri, v.text AS text ORDER BY uri")
        assert [(row["uri"], row["text"]) for row in rows] == [("a", MOVED), ("b", BORN), ("e", MOVED)]
        (filed,) = read_letters(folder / "dead")
    finally:
        server.wipe(folder)
    assert filed.letter.uri == "topic/0/8"
    assert inputs_to_replay([filed]) == []
