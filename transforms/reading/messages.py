"""Messages: one message of a queue → `Document`s, a `Retraction` or `DeadLetter`s, without Beam and without a broker.

A message says which document it brings in one of two ways:

- its content is a JSON object with `uri`, and `text` or `content_base64` (the bytes of a file of any format that
  `read_blob` knows) or `"deleted": true`; `title` and `date` are used for `text` if they are there;
- its Kafka key or Pub/Sub attribute `uri` is the URI, and its content the bytes of the file. Without content (Kafka's
  tombstone), or with the attribute `deleted` of "true", the document is deleted.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from transforms.reading import Content, Limits, Reader, ReadError, build, read_blob, read_whole
from transforms.reading.tables import iso_date
from transforms.records import Blob, DeadLetter, Document, Retraction

Result = Document | Retraction | DeadLetter


@dataclass(frozen=True, slots=True)
class Message:
    """A message as any queue has it."""

    place: str  # where it stands in its queue, for a person
    content: bytes | None  # None: a tombstone
    uri: bytes | str | None  # from the key or an attribute
    milliseconds: int  # since 1970, when it was sent; 0 if nobody knows
    rank: int  # orders messages of one millisecond
    deleted: bool = False

    @property
    def version(self) -> str:
        """Orders messages, as text: the later one has the greater version."""
        return f"{self.milliseconds:016d}.{self.rank:020d}"


def of_kafka(record: Any) -> Message:
    """A message from a row of Beam's `ReadFromKafka(with_metadata=True)`."""
    place = f"{record.topic}/{record.partition}/{record.offset}"
    return Message(place, record.value, record.key, max(0, record.timestamp), record.offset)


def of_pubsub(message: Any, subscription: str) -> Message:
    """A message from a `PubsubMessage` (`ReadFromPubSub(with_attributes=True)`)."""
    attributes = message.attributes or {}
    sent = message.publish_time.timestamp() if message.publish_time else 0.0
    milliseconds, rest = divmod(round(sent * 1_000_000), 1_000)
    return Message(
        f"{subscription}/{message.message_id}",
        message.data or b"",
        attributes.get("uri"),
        milliseconds,
        rest,
        str(attributes.get("deleted", "")).lower() == "true",
    )


def read_message(
    message: Message, limits: Limits, text_column: str = "text", read: Reader = read_blob
) -> Iterator[Result]:
    """Read one message; nothing is raised: what is wrong with it is a dead letter with the cause."""
    uri = message.place
    try:
        uri, blob = _open(message, limits)
    except ReadError as error:
        found = DeadLetter.of(message.place, "read", ReadError(f"{message.place}: {error}"))
        yield found.of_message(message.place)
        return
    if blob is None:
        yield Retraction(uri, message.version)
    elif isinstance(blob, Document):
        yield replace(blob, version=message.version)
    else:
        for item in read_whole(blob, limits, text_column, read):
            if isinstance(item, DeadLetter):
                yield item.of_message(message.place)
            else:
                yield replace(item, version=message.version)


def event_time(document: Document, message: Message) -> float | None:
    """Seconds since 1970 of what a document is about: its own date, else when the message was sent, if known."""
    try:
        date = datetime.fromisoformat(document.date or "")
    except ValueError:
        return message.milliseconds / 1_000 if message.milliseconds else None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def _open(message: Message, limits: Limits) -> tuple[str, Blob | Document | None]:
    """The URI, and the file or text; None if the document is to be deleted."""
    named = _named(message.uri)
    content = message.content or b""
    if len(content) > limits.max_bytes * 4 // 3 + 100_000:
        raise ReadError(f"has {len(content):,} bytes, over the limit: send it in parts, or put it into a file")
    envelope, problem = _envelope(content)
    if envelope is not None:
        uri = _checked(envelope["uri"])
        deleted = message.deleted or envelope.get("deleted") is True
        return uri, None if deleted else _unpack(uri, envelope, limits)
    if named is None:
        what = "has neither key nor content" if message.content is None else problem
        raise ReadError(f'{what}: send {{"uri": …, "text": …}}, or the URI as key or attribute and a file as content')
    return named, None if message.deleted or message.content is None else Blob(named, message.content)


def _envelope(content: bytes) -> tuple[dict[str, Any] | None, str]:
    """The JSON object that names its URI; or None, and why it is none."""
    if content[:200].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"{":
        return None, "is no JSON object, and nothing else names its URI"
    try:
        found = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return None, f"is no valid JSON in UTF-8 ({error}), and nothing else names its URI"
    if "uri" not in found:
        return None, "is an object without 'uri'"
    return found, ""


def _unpack(uri: str, envelope: dict[str, Any], limits: Limits) -> Blob | Document:
    text, packed = envelope.get("text"), envelope.get("content_base64")
    if (text is None) == (packed is None):
        raise ReadError(f"{uri} has {'neither' if text is None else 'both'} of 'text' and 'content_base64': send one")
    if packed is None:
        if not isinstance(text, str):
            raise ReadError(f"{uri}: 'text' is {type(text).__name__}, not text")
        title = envelope.get("title")
        return _built(
            uri, Content(text, title if isinstance(title, str) else "", iso_date(envelope.get("date"))), limits
        )
    try:
        return Blob(uri, base64.b64decode(packed, validate=True))
    except (ValueError, TypeError) as error:
        raise ReadError(
            f"{uri}: 'content_base64' is no base64 ({error}): encode the bytes of the file again"
        ) from error


def _built(uri: str, content: Content, limits: Limits) -> Document:
    try:
        return build(Blob(uri, b""), "txt", content, limits)
    except ReadError as error:
        raise ReadError(f"{uri}: {error}") from error


def _named(uri: bytes | str | None) -> str | None:
    if not uri:
        return None
    try:
        return _checked(uri.decode() if isinstance(uri, bytes) else uri)
    except UnicodeDecodeError as error:
        raise ReadError("its key is not UTF-8, and so no URI: send the URI as key, or no key") from error


def _checked(uri: object) -> str:
    if not isinstance(uri, str) or not uri.strip():
        raise ReadError("its URI is empty or no text: name the document")
    try:
        uri.encode()
    except UnicodeEncodeError as error:
        raise ReadError("its URI holds half a character, and cannot be stored: name the document in UTF-8") from error
    return uri
