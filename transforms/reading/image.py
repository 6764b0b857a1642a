"""Images: the text that is recognised in them (RapidOCR: text detection and recognition by ONNX models)."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Sequence
from functools import cache
from statistics import median
from typing import Any

from transforms.reading import Content, Limits, ReadError, clean
from transforms.reading.text import Line, join_lines

_OCR = threading.Lock()  # the engine keeps state of the image that it is at
_THREADS = 2
_MAX_SIDE = 4_000  # pixels; the engine scales down further, and a smaller copy saves memory
_MIN_SIDE = 740  # pixels; what is smaller the engine enlarges, and then loses the blanks between words
_MARGIN = 2.2  # how far detected boxes are widened; at the engine's 1.6 the recogniser loses blanks
_MIN_CONFIDENCE = 0.5
_COLUMN_LINES = 3  # fewer lines side by side are a table or a form, not columns
_COLUMN_ASPECT = 8.0  # a line of running text is at least this many times as wide as it is high


def read_image(content: bytes, limits: Limits) -> Content:
    """Read the text in a picture; each frame of a TIFF is a page.

    Raises:
        ReadError: it is no image, damaged, has too many pixels or frames, or no text is found in it.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(content))
    except UnidentifiedImageError as error:
        raise ReadError("is no image of a known format, or is damaged: save it again as PNG") from error
    except Image.DecompressionBombError as error:
        raise ReadError(f"has far too many pixels ({error}): scale it down") from error
    with image:
        count = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
        if count > limits.max_pages:
            raise ReadError(
                f"has {count:,} frames, over the limit of {limits.max_pages:,}: split it or raise max_pages"
            )
        pages = [_frame(image, number, limits) for number in range(count)]
    if not any(pages):
        raise ReadError("no text found in the image")
    offsets = []
    text = ""
    for page in pages:
        text += "\n" if text and page else ""
        offsets.append(len(text))
        text += page
    return Content(text, pages=tuple(offsets), ocr=True)


def _frame(image: Any, number: int, limits: Limits) -> str:
    import numpy
    from PIL import ImageOps

    try:
        if number:
            image.seek(number)
        _check_pixels(image.size, limits)
        upright = ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, EOFError) as error:
        raise ReadError(f"is truncated or damaged ({error}): fetch the image again") from error
    upright.thumbnail((_MAX_SIDE, _MAX_SIDE))
    return recognise(numpy.asarray(_flatten(upright))[:, :, ::-1])


def _check_pixels(size: tuple[int, int], limits: Limits) -> None:
    pixels = size[0] * size[1]
    if pixels > limits.max_pixels:
        raise ReadError(
            f"has {size[0]:,} × {size[1]:,} pixels, over the limit of {limits.max_pixels:,}: "
            "scale it down or raise max_pixels"
        )


def _flatten(image: Any) -> Any:
    """The image in RGB, on white: black text on a transparent ground would else be black on black."""
    from PIL import Image

    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layered = image.convert("RGBA")
        ground = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(ground, layered).convert("RGB")
    return image.convert("RGB")


@cache
def _engine() -> Any:
    """The recogniser; made once per process, under the lock."""
    from rapidocr_onnxruntime import RapidOCR

    return RapidOCR(intra_op_num_threads=_THREADS, inter_op_num_threads=1, det_unclip_ratio=_MARGIN)


def recognise(picture: Any) -> str:
    """The text in a picture (height × width × 3, BGR, uint8) in reading order; "" if there is none."""
    with _OCR:
        found, _ = _engine()(_padded(picture))
    boxes = [_line(corners, text) for corners, text, score in found or () if float(score) >= _MIN_CONFIDENCE]
    return join_lines([line for column in _columns(boxes) for line in _rows(column)])


def _padded(picture: Any) -> Any:
    """The picture with white at its right and bottom, so that the engine does not enlarge it."""
    import numpy

    height, width = picture.shape[:2]
    ground = numpy.full((max(height, _MIN_SIDE), max(width, _MIN_SIDE), 3), 255, numpy.uint8)
    ground[:height, :width] = picture
    return ground


def _line(corners: Sequence[Sequence[float]], text: str) -> Line:
    xs, ys = [float(x) for x, _ in corners], [float(y) for _, y in corners]
    # The recogniser loses blanks, most of all after punctuation marks.
    spaced = re.sub(r"(?<=[^\W\d_],)(?=[^\W\d_])|(?<=[a-z][.;])(?=[A-Z][a-z])", " ", clean(text))
    return Line(spaced, min(xs), max(xs), min(ys), max(ys), 0.0)


def _columns(boxes: list[Line]) -> list[list[Line]]:
    """Boxes by column of running text, left to right; all in one if there is one column."""
    if len(boxes) < 2 * _COLUMN_LINES:
        return [boxes]
    gutter = _gutter(boxes)
    if gutter is None:
        return [boxes]
    columns: list[list[Line]] = []
    sides: tuple[list[Line], list[Line]] = ([], [])
    for box in sorted(boxes, key=lambda box: box.top):
        if box.left < gutter < box.right:  # a heading over all columns
            columns += [*sides, [box]]
            sides = ([], [])
        else:
            sides[box.left >= gutter].append(box)
    return [column for column in [*columns, *sides] if column]


def _gutter(boxes: list[Line]) -> float | None:
    """Where a page of two columns parts them; None if it has no such place."""
    width = max(box.right for box in boxes) - min(box.left for box in boxes)
    narrow = [box for box in boxes if box.right - box.left < 0.6 * width]
    end = float("-inf")
    for box in sorted(narrow, key=lambda box: box.left):
        left = [other for other in narrow if other.right <= box.left]
        right = [other for other in narrow if other.left >= box.left]
        if box.left > end > 0 and len(left) + len(right) == len(narrow) and _is_prose(left) and _is_prose(right):
            return (end + box.left) / 2
        end = max(end, box.right)
    return None


def _is_prose(boxes: list[Line]) -> bool:
    if len(boxes) < _COLUMN_LINES:
        return False
    return median((box.right - box.left) / max(box.bottom - box.top, 1.0) for box in boxes) >= _COLUMN_ASPECT


def _rows(boxes: list[Line]) -> list[Line]:
    """The lines of a column, top to bottom; boxes at one height are one line."""
    rows: list[list[Line]] = []
    for box in sorted(boxes, key=lambda box: (box.top + box.bottom) / 2):
        last = rows[-1] if rows else None
        if last and (box.top + box.bottom) / 2 < last[0].bottom - 0.2 * (last[0].bottom - last[0].top):
            last.append(box)
        else:
            rows.append([box])
    height = median(box.bottom - box.top for box in boxes) if boxes else 0.0
    return [_merge(sorted(row, key=lambda box: box.left), height) for row in rows]


def _merge(row: list[Line], height: float) -> Line:
    own = max(box.bottom - box.top for box in row)
    text = " ".join(box.text for box in row)
    # Heights waver by a few pixels between lines of one font: only a clearly larger line, a heading, differs in size.
    size = own if own > 1.5 * height else height
    top, bottom = min(box.top for box in row), max(box.bottom for box in row)
    return Line(text, row[0].left, row[-1].right, top, bottom, size)
