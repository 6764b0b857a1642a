"""What the fields of a PDF's form are filled in with, and where it belongs in the text of the page."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from transforms.reading import clean
from transforms.reading.text import Line

_BESIDE = 150  # points between a label and its field; what is farther away stands in another column


def fields_of(page: Any) -> list[Line]:
    """The texts and choices that a page's fields hold, each as a line that is as large as the field."""
    from pypdfium2 import raw

    height = page.get_height()
    found = []
    for number in range(raw.FPDFPage_GetAnnotCount(page) if page.formenv else 0):
        annotation = raw.FPDFPage_GetAnnot(page, number)
        box = raw.FS_RECTF()
        if text := " ".join(clean(_value(page.formenv, annotation)).split()):
            raw.FPDFAnnot_GetRect(annotation, ctypes.byref(box))
            top, bottom = height - box.top, height - box.bottom
            found.append(Line(text, box.left, box.right, top, bottom, bottom - top, filled=True))
        raw.FPDFPage_CloseAnnot(annotation)
    return found


def _value(form: Any, annotation: Any) -> str:
    """What a field holds; "" if it is a button or a signature, or no field."""
    from pypdfium2 import raw

    written = (raw.FPDF_FORMFIELD_TEXTFIELD, raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX)
    if raw.FPDFAnnot_GetFormFieldType(form, annotation) not in written:
        return ""
    length = raw.FPDFAnnot_GetFormFieldValue(form, annotation, None, 0)
    buffer = (raw.FPDF_WCHAR * (length // 2 + 1))()
    raw.FPDFAnnot_GetFormFieldValue(form, annotation, buffer, length)
    return bytes(buffer).decode("utf-16-le", "replace").rstrip("\0")


def fill_line(line: Line, ends: Sequence[float], fields: list[Line]) -> Line:
    """A line with the fields of its row in their places. They are taken out of `fields`.

    `ends` says where each character of the line's text ends.
    """
    middle = (line.top + line.bottom) / 2
    text = line.text
    row = [field for field in fields if field.top <= middle <= field.bottom]
    # From right to left, so that what is put in moves nothing that is still to come.
    for field in sorted(row, key=lambda field: -field.left):
        at = sum(end <= field.left + line.size / 4 for end in ends)
        gap = field.left - ends[at - 1] if at else line.left - field.right
        if gap <= _BESIDE:
            text = " ".join((text[:at].rstrip(), field.text, text[at:].lstrip())).strip()
            fields.remove(field)
    return replace(line, text=text, filled=text != line.text)


def add_below(lines: list[Line], fields: Sequence[Line]) -> None:
    """Put fields that have no label beside them below the one above them; at the end, if there is none."""
    for field in reversed(fields):
        above = [
            (line.bottom, place)
            for place, line in enumerate(lines, 1)
            if line.left < field.right and field.left < line.right and line.bottom < field.bottom
        ]
        lines.insert(max(above)[1] if above else len(lines), field)
