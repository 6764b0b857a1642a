"""Queues: Kafka topics and Pub/Sub subscriptions → `Document`s, retractions and dead letters, by Beam's connectors.

An input is written `kafka://BROKER:PORT[,BROKER:PORT]/TOPIC?group=NAME` or `pubsub://projects/P/subscriptions/S`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import apache_beam as beam
import javaproperties
from apache_beam import pvalue
from apache_beam.io.gcp.pubsub import parse_subscription
from apache_beam.transforms.window import TimestampedValue

from transforms.counting import add_seconds
from transforms.reading import Limits
from transforms.reading.inputs import InputError
from transforms.reading.isolation import shared_reader
from transforms.reading.messages import Message, event_time, of_kafka, of_pubsub, read_message
from transforms.records import DeadLetter, Retraction

_KAFKA = "kafka://BROKER:9092/TOPIC?group=NAME"
_PUBSUB = "pubsub://projects/PROJECT/subscriptions/NAME"
#: Where Beam's option --beam_services names the expansion service of Kafka.
_EXPANSION = "sdks:java:io:expansion-service:shadowJar"


@dataclass(frozen=True, slots=True)
class Queue:
    """A Kafka topic, with the settings of its consumer, or (without any) a Pub/Sub subscription."""

    name: str
    consumer: tuple[tuple[str, str], ...] = ()


def is_queue(text: str) -> bool:
    """Whether an input is a queue rather than files."""
    return text.startswith(("kafka://", "pubsub://"))


def parse_queue(text: str) -> Queue:
    """The queue that an input names.

    `from=latest` reads a topic that the group has not read yet from its end rather than its beginning;
    `properties=FILE` holds further settings of the consumer, as Kafka's own tools read them.

    Raises:
        InputError: it is not written as it should be, or its file cannot be read.
    """
    parts = urlsplit(text)
    if parts.scheme == "pubsub":
        name = f"{parts.netloc}{parts.path}"
        try:
            parse_subscription(f"{name}?{parts.query}" if parts.query else name)
        except ValueError as error:
            raise InputError(f"{text}: not a subscription ({error}); write {_PUBSUB}") from error
        return Queue(name)
    topic = parts.path.strip("/")
    if not parts.netloc or not topic or "/" in topic:
        raise InputError(f"{text}: not a topic; write {_KAFKA}")
    return Queue(topic, tuple(sorted(_consumer(text, parts.netloc, dict(parse_qsl(parts.query))).items())))


def check_queues(queues: Sequence[Queue], runner: str, services: dict[str, Any]) -> None:
    """Check that queues can be read by a Beam runner; `services` is what --beam_services says.

    Raises:
        InputError: something is missing; says what, and where it comes from.
    """
    for queue in queues:
        if not queue.consumer:
            if not _installed("google.cloud.pubsub"):
                raise InputError(f"{queue.name}: reading Pub/Sub needs more of Beam; pip install 'apache-beam[gcp]'")
            continue
        if runner.endswith("DirectRunner"):
            raise InputError(
                f"{queue.name}: Beam's local runner does not read Kafka; give --runner=FlinkRunner or another that does"
            )
        served = str(services.get(_EXPANSION, ".jar"))  # a jar, or the address of what runs already
        if served.endswith(".jar") and not shutil.which("java") and not os.environ.get("JAVA_HOME"):
            raise InputError(
                f"{queue.name}: Beam reads Kafka by Java; install a Java runtime, "
                f"or name a running expansion service by --beam_services"
            )


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # one of the packages that it is in
        return False


class ReadMessages(beam.PTransform):
    """Message → (Document, Retraction, dead letters); a document's timestamp is `messages.event_time`."""

    def __init__(self, text_column: str = "text", limits: Limits = Limits()) -> None:  # noqa: B008
        super().__init__()
        self._work = _ReadDoFn(text_column, limits)

    def expand(self, messages: beam.PCollection) -> Any:
        """Read each."""
        split = messages | "Read" >> beam.ParDo(self._work).with_outputs("retracted", "dead", main="good")
        return split.good, split.retracted, split.dead


class ReadQueue(beam.PTransform):
    """A queue → (Document, Retraction, dead letters), without end."""

    def __init__(self, queue: Queue, text_column: str = "text", limits: Limits = Limits()) -> None:  # noqa: B008
        super().__init__(f"Queue {queue.name}")
        self._queue, self._read = queue, ReadMessages(text_column, limits)

    def expand(self, begin: Any) -> Any:
        """Receive and read."""
        receive = _receive_kafka if self._queue.consumer else _receive_pubsub
        return receive(begin, self._queue) | "Messages" >> self._read


def _receive_kafka(begin: Any, queue: Queue) -> Any:
    return begin | "Kafka" >> kafka_source(queue) | "Record" >> beam.Map(of_kafka)


def kafka_source(queue: Queue) -> Any:
    """Beam's transform that reads a topic; Java expands it when it is applied."""
    from apache_beam.io.kafka import ReadFromKafka

    # Only with metadata does Beam hand over null keys and values, time and offset.
    return ReadFromKafka(dict(queue.consumer), [queue.name], with_metadata=True, commit_offset_in_finalize=True)


def _receive_pubsub(begin: Any, queue: Queue) -> Any:
    from apache_beam.io.gcp.pubsub import ReadFromPubSub

    source = ReadFromPubSub(subscription=queue.name, with_attributes=True)
    return begin | "PubSub" >> source | "Record" >> beam.Map(of_pubsub, queue.name)


def _consumer(text: str, brokers: str, given: dict[str, str]) -> dict[str, str]:
    unknown = given.keys() - {"group", "from", "properties"}
    if unknown or not given.get("group"):
        wrong = f"no parameter {sorted(unknown)[0]!r}" if unknown else "no group, by which Kafka knows what was read"
        raise InputError(f"{text}: {wrong}; write {_KAFKA}[&from=latest][&properties=FILE]")
    if given.get("from", "earliest") not in ("earliest", "latest"):
        raise InputError(f"{text}: from={given['from']} is neither earliest nor latest")
    settings = _properties(Path(given["properties"])) if "properties" in given else {}
    return {
        "auto.offset.reset": given.get("from", "earliest"),
        **settings,
        "bootstrap.servers": brokers,
        "group.id": given["group"],
        # Offsets are committed once Beam has stored what came before them.
        "enable.auto.commit": "false",
    }


def _properties(path: Path) -> dict[str, str]:
    try:
        return javaproperties.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the consumer's properties cannot be read ({error})") from error


class _ReadDoFn(beam.DoFn):
    def __init__(self, text_column: str, limits: Limits) -> None:
        self._text_column, self._limits = text_column, limits

    def setup(self) -> None:
        self._reader = shared_reader()

    def process(self, message: Message) -> Iterator[Any]:
        begin = time.perf_counter()
        results = list(read_message(message, self._limits, self._text_column, self._reader.read))
        add_seconds("read", time.perf_counter() - begin)
        for found in results:
            if isinstance(found, DeadLetter):
                yield pvalue.TaggedOutput("dead", found)
            elif isinstance(found, Retraction):
                yield pvalue.TaggedOutput("retracted", found)
            else:
                seconds = event_time(found, message)
                yield found if seconds is None else TimestampedValue(found, seconds)
