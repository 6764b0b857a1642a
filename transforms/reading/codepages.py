"""Which of Windows' two code pages of Latin letters a text is in: cp1252 (west) or cp1250 (centre of Europe).

Both read nearly all bytes as letters of some language, so that a detector by the frequency of letters finds them
equal where an English text holds a few names: "Ørsted" or "Řrsted", "Gdańsk" or "Gdañsk", "£5" or "Ł5". What tells
them apart is what stands around a letter: "ø" is a vowel and "ř" is none, and no Spanish "ñ" goes before an "s".
"""

from __future__ import annotations

import re

_FEW = 0.03  # share of bytes beyond ASCII; in a text of other letters than Latin there are more
_VOWEL = "[aeiouyáéíóúý]"
_CONSONANT = "[bcdfghjklmnpqrstvwxzšž]"
_LETTER = r"[^\W\d_]"
#: Read as cp1252, letters where no language of the west has them.
_NOT_WEST = re.compile(
    rf"(?<={_LETTER})[¹³ºª¿¼¾¡¢](?={_LETTER})|[¹³](?-i:[a-z])|(?<!\d)[£¯¥ºª](?={_LETTER}{{2}})"  # Wałęsa, Łódź, Iaşi
    rf"|(?<=[a-zóà])Ÿ|œ(?=[wlnmkpr]|\b)|\bð|{_VOWEL}(?:æ|ø(?!y|e[nr]))|\bø[aiáíé]|ø[áéí]"  # Petrović, Dvořák, Jiří
    rf"|[ae]ò|[òìù](?={_LETTER})|è(?:{_VOWEL}|[jk])|[aeáéíóú]è|[io]è\b"  # Plzeň, Němec, Růžena, Kučera, Petrovič
    rf"|ñ(?!{_VOWEL}|[àâêôûü])|ã(?!o|e|s\b)(?={_LETTER})|[jyz][õû]|õ\b",  # Gdańsk, Brăila, Győr, Szűcs
    re.IGNORECASE,
)
#: Read as cp1250, letters where no language of the centre has them.
_NOT_CENTRE = re.compile(
    rf"[ĺŕ˛˘ˇ˝]|(?<!{_LETTER})ł(?!{_LETTER})|(?<=\d)[şľą]|\bż(?-i:[A-ZÁÉÍÓÚ])"  # Åse, m², £5, nº, ¿Qué
    rf"|(?:\b|{_CONSONANT})ř(?={_CONSONANT}|\b)|{_CONSONANT}[ćč]{_CONSONANT}|{_CONSONANT}ň|[lrsckgzhfj]ě|{_VOWEL}ů"
    rf"|ń{_VOWEL}|ă[oe]|őe",  # Ørsted, Kjær, Genève, Niccolò, Forlì, Núñez, João, Camões
    re.IGNORECASE,
)


def is_mostly_ascii(content: bytes) -> bool:
    """Whether few bytes are beyond ASCII, and these stand alone, as in texts of Latin letters."""
    beyond = re.findall(rb"[\x80-\xff]+", content)
    count = sum(map(len, beyond))
    return count < _FEW * len(content) and count < 2 * len(beyond)


def latin_codec(content: bytes) -> str:
    """The code page that makes more of the letters plausible, cp1252 if both do."""
    try:
        west = content.decode("cp1252")
    except UnicodeError:
        return "cp1250"
    try:
        centre = content.decode("cp1250")
    except UnicodeError:
        return "cp1252"
    return "cp1250" if len(_NOT_WEST.findall(west)) > len(_NOT_CENTRE.findall(centre)) else "cp1252"
