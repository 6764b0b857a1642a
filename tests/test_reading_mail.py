"""Mails: headers, bodies and attachments, made here by the standard library, read back."""

import base64
from email.message import EmailMessage

import pytest

from tests.reading_files import make_mail, read_all, write
from transforms.reading import Limits, ReadError, read_blob
from transforms.records import Blob, DeadLetter, Document


def mail_of(*parts: bytes, head: bytes = b"", kind: bytes = b"mixed") -> bytes:
    """A mail of parts, each with its own headers."""
    head = head or b"From: Kari Halvorsen <kari@nordhavn.no>\r\nTo: Ann Lee <ann@x.com>\r\nSubject: The sale\r\n"
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts)
    return head + b"Content-Type: multipart/" + kind + b'; boundary="b"\r\n\r\n' + body + b"--b--\r\n"


def test_mail_text_facts_and_attachments(tmp_path):
    document, *blobs = read_all(write(tmp_path / "a.eml", make_mail().as_bytes()))
    assert document.text.split("\n") == [
        "From: Jürgen Weiß <jw@example.com>",
        "To: Ann Lee <ann@example.com>, bob@example.com",
        "Cc: Ops Team <ops@example.com>",
        "Date: Tuesday, 3 March 2026 14:05",
        "Subject: Übernahme der Müller GmbH — Entwurf",
        *("", "Dear all,", "", "the draft contract is attached for your review."),
    ]
    subject = "Übernahme der Müller GmbH — Entwurf"
    assert (document.title, document.date, document.language) == (subject, "2026-03-03", "en")
    said = [
        (document.text[slice(*f.head)], f.relation, document.text[slice(*f.tail)], f.tail_type) for f in document.facts
    ]
    assert said == [
        (subject, "SENT_BY", "Jürgen Weiß", "Person"),
        (subject, "SENT_TO", "Ann Lee", "Person"),
        (subject, "SENT_TO", "bob@example.com", "Person"),
        (subject, "SENT_TO", "Ops Team", "Person"),
        (subject, "SENT_ON", "Tuesday, 3 March 2026 14:05", "Date"),
    ]
    names = ["draft.txt", "a_b_c.pdf", "draft (2).txt", "Forwarded offer.eml"]
    assert [blob.uri for blob in blobs] == [f"{tmp_path}/a.eml#{name}" for name in names]
    assert {(blob.parent, blob.depth) for blob in blobs} == {(document.id, 1)}
    (draft,) = read_blob(blobs[0])
    assert (draft.text.strip(), draft.parent) == ("Draft of the contract.", document.id)
    (inner,) = read_blob(blobs[3])
    assert (inner.title, inner.parent) == ("Forwarded offer", document.id)


def test_mail_with_broken_headers_has_fewer_facts(tmp_path):
    source = (
        b"From: =?utf-8?q?J=C3=BCrgen?= <\r\nTo: undisclosed-recipients:;\r\nDate: soon\r\n"
        b"Subject: =?nope?b?####?= plan\r\nContent-Type: text/plain; charset=nope\r\n\r\n"
        b"Caf\xe9 at noon, says the plan.\r\n"
    )
    (document,) = read_all(write(tmp_path / "a.eml", source))
    assert "Date: soon\n" in document.text
    assert "Café at noon" in document.text
    assert document.date is None
    assert not {fact.relation for fact in document.facts} & {"SENT_ON", "SENT_TO"}


def test_mail_without_subject_states_no_facts(tmp_path):
    (document,) = read_all(write(tmp_path / "a.eml", b"From: ann@example.com\n\nHello there.\n"))
    assert document.facts == ()
    assert document.title == "Hello there."


def test_mail_of_html_only(tmp_path):
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "ann@example.com", "Hi"
    rows = (
        "<table><tr><td><p>Dear Bob,</p><p>yes.</p></td></tr></table><table><tr><td>Oslo</td><td>12</td></tr></table>"
    )
    mail.set_content(rows, subtype="html")
    (document,) = read_all(write(tmp_path / "a.eml", mail.as_bytes()))
    assert document.text.split("\n")[3:] == ["Dear Bob,", "yes.", "Oslo | 12"]


def test_too_many_attachments_and_too_deep_ones(tmp_path):
    document, blob, *letters = read_all(
        write(tmp_path / "a.eml", make_mail().as_bytes()), limits=Limits(max_attachments=1)
    )
    assert isinstance(document, Document)
    assert isinstance(blob, Blob)
    assert [letter.replay for letter in letters] == [{"input": f"{tmp_path}/a.eml"}]
    with pytest.raises(ReadError, match="4 mails deep"):
        list(read_blob(Blob("a.eml#b.txt", b"text", depth=4)))


def test_a_part_of_the_body_that_cannot_be_read_costs_no_other(tmp_path):
    broken = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    contract = b'Content-Type: text/plain\r\nContent-Disposition: attachment; filename="a.txt"\r\n\r\nOf Acme.\r\n'
    path = write(tmp_path / "a.eml", mail_of(broken + base64.encodebytes(bytes(range(10))), contract))
    document, letter, attached = read_all(path)
    assert document.text.startswith("From: Kari Halvorsen <kari@nordhavn.no>\n")
    assert len(document.facts) == 2
    assert isinstance(letter, DeadLetter)
    assert (letter.uri, letter.replay) == (f"{path}#body", {"input": str(path)})
    assert letter.cause.startswith(f"{path}#body: ")
    assert attached.uri == f"{path}#a.txt"


def test_a_body_in_utf_16_is_read_as_it_says(tmp_path):
    head = b"Content-Type: text/plain; charset=utf-16le\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    part = head + base64.encodebytes("Nordhavn was sold in May.".encode("utf-16le"))
    (document,) = read_all(write(tmp_path / "a.eml", mail_of(part)))
    assert document.text.endswith("\n\nNordhavn was sold in May.")


def test_of_html_and_an_invitation_the_html_is_the_body(tmp_path):
    page = b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>Nordhavn was sold to Contoso.</p>\r\n"
    invitation = b"Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
    (document,) = read_all(write(tmp_path / "a.eml", mail_of(page, invitation, kind=b"alternative")))
    assert document.text.endswith("\n\nNordhavn was sold to Contoso.")


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_headers_may_hold_letters_as_they_are(tmp_path, encoding):
    head = "From: Jürgen Weiß <jw@x.de>\nTo: Jörg Müller <a@x.de>\nSubject: Übernahme der Müller GmbH\n"
    inner = head.replace("Übernahme", "Prüfung").encode(encoding) + b"\nHello.\n"
    attached = b"Content-Type: message/rfc822\r\n\r\n" + inner
    document, blob = read_all(write(tmp_path / "a.eml", mail_of(attached, head=head.encode(encoding))))
    assert document.text.strip() == head.strip()
    assert blob.uri.endswith("#Prüfung der Müller GmbH.eml")
    (within,) = read_blob(blob)
    assert "From: Jürgen Weiß <jw@x.de>\n" in within.text


def test_headers_in_no_encoding_cost_no_mail(tmp_path):
    source = b"From: J\xc3\xbcrgen \x81\x8d\x8f\x90\x9d\xff <jw@x.de>\nSubject: The sale\n\nIt is sold.\n"
    (document,) = read_all(write(tmp_path / "a.eml", source))
    assert "<jw@x.de>\n" in document.text
    assert document.title == "The sale"


@pytest.mark.parametrize(
    ("stated", "shown"),
    [
        ("Bob Ray <b@x.com>; Ann Lee <a@x.com>;c@x.com;", "Bob Ray <b@x.com>, Ann Lee <a@x.com>, c@x.com"),
        ('"Ray; Bob" <b@x.com>; a@x.com', "Ray; Bob <b@x.com>, a@x.com"),
        ("Team: a@x.com, Bob Ray <b@x.com>;", "a@x.com, Bob Ray <b@x.com>"),
        ("a@x.com, Bob Ray <b@x.com>", "a@x.com, Bob Ray <b@x.com>"),
        ("Lee, Ann <a@x.com>, d@x.com; Ray, Bob <b@x.com>", "Ann Lee <a@x.com>, d@x.com, Bob Ray <b@x.com>"),
    ],
)
def test_people_of_a_header_may_stand_between_semicolons(tmp_path, stated, shown):
    source = f"From: e@x.com\nTo: {stated}\nSubject: The sale\n\nIt is sold.\n"
    (document,) = read_all(write(tmp_path / "a.eml", source))
    assert f"To: {shown}\n" in document.text


@pytest.mark.parametrize(
    ("stated", "shown"),
    [
        ("Halvorsen, Kari", "Kari Halvorsen"),
        ("van der Berg, Anne-Marie J.", "Anne-Marie J. van der Berg"),
        ("O’Neil, Ann (Legal)", "Ann O’Neil (Legal)"),
        ("Weiß, Dr. Jürgen", "Dr. Jürgen Weiß"),
        *(
            (name, name)
            for name in ("Acme, Inc.", "Smith, Jr.", "Smith, Ph.D.", "Weiß, Dr.", "Lee, Ann, Legal", "Pumps, 24")
        ),
    ],
)
def test_family_names_stand_last(tmp_path, stated, shown):
    source = f'From: "{stated}" <a@x.com>\nSubject: The sale\n\nIt is sold.\n'
    (document,) = read_all(write(tmp_path / "a.eml", source))
    assert document.text.startswith(f"From: {shown} <a@x.com>\n")


@pytest.mark.parametrize(
    ("stated", "type_"),
    [
        ("Contoso Ltd <info@contoso.com>", "Organisation"),
        ('"Acme, Inc." <a@x.com>', "Organisation"),
        ("Nordhavn Shipping AS <kari@nordhavn.no>", "Organisation"),
        ("no-reply@dnb.no", "Organisation"),
        ("Kari Halvorsen <noreply@github.com>", "Person"),
        ('"Kari Halvorsen, Contoso Ltd" <kari@contoso.com>', "Person"),
        ("Kari Halvorsen (Contoso Ltd) <kari@contoso.com>", "Person"),
        ("Kari Halvorsen - Contoso Ltd <kari@contoso.com>", "Person"),
        ("Ops Team <ops@contoso.com>", "Person"),
        ("kari@contoso.com", "Person"),
    ],
)
def test_a_company_that_writes_is_an_organisation(tmp_path, schema, stated, type_):
    source = f"From: {stated}\nTo: {stated}\nSubject: The sale\n\nIt is sold.\n"
    (document,) = read_all(write(tmp_path / "a.eml", source))
    assert [(fact.relation, fact.tail_type) for fact in document.facts] == [("SENT_BY", type_), ("SENT_TO", type_)]
    assert all(schema.allows(fact.relation, fact.head_type, fact.tail_type) for fact in document.facts)
