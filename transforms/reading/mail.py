"""Mails (.eml): the headers as text and as facts, the body, the attachments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from email.message import Message
from email.policy import EmailPolicy
from email.utils import getaddresses, parsedate_to_datetime
from itertools import chain

from transforms.companies import company_end
from transforms.names import TITLES
from transforms.reading import Content, Limits, ReadError, one_line
from transforms.reading.text import decode
from transforms.records import Fact

_HEADERS = frozenset(("from", "to", "cc", "bcc", "sender", "reply-to", "date", "subject", "message-id", "received"))
_SIGNATURES = frozenset(("application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature"))
_PEOPLE = frozenset(("from", "to", "cc"))
#: A quoted name, or what stands between people. A quote that is never closed goes on to the end.
_SEMICOLON = re.compile(r'("(?:[^"\\]|\\.)*+"?)|;')
#: "Lee, Ann <ann@x.com>"
_BARE_COMMA = re.compile(r'(?<![^,;:])\s*([^\s",;:<>@][^",;:<>@]*,[^",;:<>@]*[^\s",;:<>@])\s*<')
_LAST_FIRST = re.compile(r"([^,()]+), ([^,()]+?)( \(.*\))?")
_NAME_WORDS = 3  # given names, or family names with what belongs to them; more are no name
_BEHIND_NAMES = frozenset(
    ("jr", "sr", "ii", "iii", "iv", "esq", "phd", "md", "dds", "mba", "cpa", "msc", "bsc", "llm", "rn")
)
#: "Kari Halvorsen, Contoso Ltd" and "Kari Halvorsen at Contoso Ltd" are people.
_OF_COMPANY = re.compile(r",\s\S+\s|\s(?:[-–—|/@]|at|from|via)\s")
#: Addresses that no one person has.
_ROLE = re.compile(
    "noreply|donotreply|info|post|mail|office|contact|sales|support|service|helpdesk|admin|invoices?|billing|accounts|"
    "orders|hr|jobs|press|marketing|newsletter|notifications?|alerts|postmaster|webmaster|mailerdaemon"
)
_DECORATION = 16_384  # bytes; smaller pictures within the body are logos and tracking pixels
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
Span = tuple[int, int]


def read_mail(content: bytes, limits: Limits) -> tuple[Content, list[tuple[str, bytes | ReadError]]]:
    """Read a mail: its content, and the name (unique, without "/" and "#") and bytes of each attachment.

    A header that is missing or broken is left out, and so are the facts that it would have stated. So is a part of
    the body that cannot be read: the error stands for its bytes.

    Raises:
        ReadError: it has no mail headers, or states nothing but what cannot be read.
    """
    mail = message_from_bytes(content, policy=_Policy(utf8=True))
    if not _HEADERS.intersection(name.lower() for name in mail.keys()):  # noqa: SIM118 - a message is no mapping
        raise ReadError("has no mail headers (From, To, Date, Subject …): it is no mail, or its head was cut off")
    head = _Head()
    date = _write_head(head, mail)
    body = _Body(limits)
    body.take(mail)
    head.write("\n")
    facts = tuple(head.facts())
    texts = [part.strip("\n") for part in body.texts if part.strip()]
    lost = [data for _, data in body.files if isinstance(data, ReadError)]
    if lost and not (facts or texts or len(body.files) > len(lost)):
        raise lost[0]
    text = head.text + "\n".join(texts)
    subject = head.text[slice(*head.subject)] if head.subject else ""
    return Content(text, subject, date, facts=facts, body=len(head.text)), _named(body.files)


class _Policy(EmailPolicy):
    """Headers as they are met: with bytes beyond ASCII, and with people as Outlook lists them."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        value = value if value.isascii() else _decode_raw(value.encode("ascii", "surrogateescape"))
        return name, _separated(value) if name.lower() in _PEOPLE else value


def _decode_raw(value: bytes) -> str:
    try:
        return decode(value)
    except ReadError:
        return value.decode(errors="replace")


def _separated(people: str) -> str:
    """The people of a header as the standard writes them: with commas between, and none in names without quotes."""
    people = _BARE_COMMA.sub(r'"\1" <', people)
    # A semicolon within quotes is part of a name, and after a colon the end of a group.
    return people if ":" in people else _SEMICOLON.sub(lambda found: found[1] or ",", people)


@dataclass
class _Head:
    """The header lines as they are written, and the spans of what they say."""

    text: str = ""
    subject: Span | None = None
    sender: list[Span] = field(default_factory=list)
    recipients: list[Span] = field(default_factory=list)
    date: Span | None = None

    def write(self, text: str) -> Span:
        start = len(self.text)
        self.text += text
        return start, len(self.text)

    def facts(self) -> Iterator[Fact]:
        if self.subject is None:
            return
        for span in self.sender:
            yield Fact(self.subject, "Message", "SENT_BY", span, _kind(self.text[slice(*span)]))
        for span in self.recipients:
            yield Fact(self.subject, "Message", "SENT_TO", span, _kind(self.text[slice(*span)]))
        if self.date is not None:
            yield Fact(self.subject, "Message", "SENT_ON", self.date, "Date")


def _write_head(head: _Head, mail: Message) -> str | None:
    """Write the header lines; return the date in ISO 8601, if there is one."""
    head.sender = _write_people(head, "From", _addresses(mail, "from"))
    for name in ("To", "Cc"):
        head.recipients += _write_people(head, name, _addresses(mail, name))
    stated = _header(mail, "date")
    date = _parse_date(stated)
    if stated:
        head.write("Date: ")
        span = head.write(_show_date(date) if date else stated)
        head.date = span if date else None
        head.write("\n")
    subject = _header(mail, "subject")
    if subject:
        head.write("Subject: ")
        head.subject = head.write(subject)
        head.write("\n")
    return date.date().isoformat() if date else None


def _write_people(head: _Head, name: str, people: list[tuple[str, str]]) -> list[Span]:
    """Write a line of people; return the span of each one's name, or address if there is no name."""
    spans: list[Span] = []
    for display, address in people:
        head.write(", " if spans else f"{name}: ")
        spans.append(head.write(display or address))
        if display and address and display != address:
            head.write(f" <{address}>")
    if spans:
        head.write("\n")
    return spans


def _header(mail: Message, name: str) -> str:
    """A header's first value, decoded and on one line; "" if it is missing or cannot be parsed."""
    try:
        return one_line(str(mail.get(name, "")), 2_000)
    except Exception:  # the parser of the standard library raises errors of many kinds at broken headers
        raw = next((value for key, value in mail.raw_items() if key.lower() == name.lower()), "")
        return one_line(str(raw), 2_000)


def _addresses(mail: Message, name: str) -> list[tuple[str, str]]:
    """The display names and addresses of all headers of a name."""
    try:
        parsed = [
            (person.display_name, person.addr_spec)
            for header in mail.get_all(name, [])
            for person in getattr(header, "addresses", ())
        ]
    except Exception:  # as above
        parsed = []
    people = parsed or getaddresses([_header(mail, name)])
    cleaned = [(_first_last(one_line(display).strip("\"' ")), one_line(address, 320)) for display, address in people]
    return [(display, "" if address == "<>" else address) for display, address in cleaned if display or "@" in address]


def _first_last(display: str) -> str:
    """ "Lee, Ann" as "Ann Lee", as texts have it. "Acme, Inc." and "Smith, Jr." are no such names."""
    found = _LAST_FIRST.fullmatch(display)
    if found is None or _is_company(display) or not (_is_name(found[1]) and _is_name(found[2])):
        return display
    return f"{found[2]} {found[1]}{found[3] or ''}"


def _is_name(part: str) -> bool:
    words = part.split()
    letters = [re.sub(r"['’.-]", "", word) for word in words]
    return (
        0 < len(words) <= _NAME_WORDS
        and all(map(str.isalpha, letters))
        and letters[-1][0].isupper()  # of "van der Berg", the last
        and letters[-1].casefold() not in _BEHIND_NAMES | TITLES
    )


def _is_company(display: str) -> bool:
    return company_end(display, 0, len(display.rstrip("."))) is not None


def _kind(name: str) -> str:
    """The type of who sends or gets a mail, by the name or, where there is none, the address."""
    local, at, _ = name.partition("@")
    role = at and _ROLE.fullmatch(re.sub(r"[-._]|\+.*", "", local.casefold()))
    return "Organisation" if role or (_is_company(name) and not _OF_COMPANY.search(name)) else "Person"


def _parse_date(stated: str) -> datetime | None:
    try:
        return parsedate_to_datetime(stated)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _show_date(date: datetime) -> str:
    """As "Tuesday, 3 March 2026 14:05", in the sender's time, whatever the locale."""
    return f"{_DAYS[date.weekday()]}, {date.day} {_MONTHS[date.month - 1]} {date.year} {date:%H:%M}"


class _Body:
    """The texts of a mail in order, and its attachments. Mails within it are attachments, and not looked into."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.texts: list[str] = []
        self.files: list[tuple[str, bytes | ReadError]] = []

    def take(self, part: Message, wanted: bool = True) -> None:
        """Take in a part. If it is not `wanted`, only its attachments."""
        type_ = part.get_content_type()
        if type_ == "message/rfc822":
            self._take_mail(part)
        elif part.is_multipart():
            parts = [child for child in part.get_payload() if isinstance(child, Message)]
            best = _best(parts) if type_ == "multipart/alternative" else None
            for child in parts:
                self.take(child, wanted and (best is None or child is best))
        elif type_.startswith("text/") and part.get_content_disposition() != "attachment" and not part.get_filename():
            if wanted:
                self._take_text(part)
        elif type_ not in _SIGNATURES:
            self._take_file(part)

    def _take_text(self, part: Message) -> None:
        try:
            self.texts.append(_text(part, self.limits))
        except ReadError as error:  # no reason to lose the headers and the attachments
            self.files.append(("body", error))

    def _take_mail(self, part: Message) -> None:
        inner = part.get_payload()
        if isinstance(inner, list) and inner and isinstance(inner[0], Message):
            name = part.get_filename() or (_header(inner[0], "subject") or "mail")
            self.files.append((name if name.lower().endswith(".eml") else f"{name}.eml", inner[0].as_bytes()))

    def _take_file(self, part: Message) -> None:
        payload = part.get_payload(decode=True)
        data = payload if isinstance(payload, bytes) else b""
        shown = part.get_content_disposition() != "attachment" and part.get("content-id") is not None
        if not (shown and part.get_content_maintype() == "image" and len(data) < _DECORATION):
            self.files.append((part.get_filename() or "", data))


def _best(parts: list[Message]) -> Message | None:
    """Of alternatives the plain text if there is any in it, else the last HTML, else the last that is no invitation."""
    plain = (part for part in parts if any(_is_plain(leaf) for leaf in part.walk()))
    rich = (part for part in reversed(parts) if any(leaf.get_content_type() == "text/html" for leaf in part.walk()))
    other = (part for part in reversed(parts) if part.get_content_type() != "text/calendar")
    return next(chain(plain, rich, other, parts), None)


def _is_plain(part: Message) -> bool:
    payload = part.get_payload(decode=True) if part.get_content_type() == "text/plain" else None
    return isinstance(payload, bytes) and bool(payload.strip())


def _text(part: Message, limits: Limits) -> str:
    from transforms.reading.markup import visible_text

    payload = part.get_payload(decode=True)
    text = decode(payload, part.get_content_charset()) if isinstance(payload, bytes) and payload.strip() else ""
    return visible_text(text, limits) if part.get_content_subtype() in ("html", "xhtml") else text


def _named(files: list[tuple[str, bytes | ReadError]]) -> list[tuple[str, bytes | ReadError]]:
    """The attachments under unique names that are safe in a URI's fragment."""
    named: dict[str, bytes | ReadError] = {}
    for number, (name, data) in enumerate(files, 1):
        safe = re.sub(r"[/\\#\x00-\x1f\x7f]", "_", one_line(name, 200)) or f"attachment-{number}"
        stem, dot, extension = safe.rpartition(".") if "." in safe else (safe, "", "")
        unique, copy = safe, 1
        while unique in named:
            copy += 1
            unique = f"{stem} ({copy}){dot}{extension}"
        named[unique] = data
    return list(named.items())
