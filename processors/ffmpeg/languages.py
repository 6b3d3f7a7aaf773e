"""Languages as people write them, and as files do: fr, fra and fre are one, which menus call French."""

from __future__ import annotations

# ISO 639-1, and 639-2 in its terminological form and, where it differs, its bibliographic one; then the English name.
_TABLE = (
    "ar ara Arabic,bg bul Bulgarian,bn ben Bengali,ca cat Catalan,cs ces cze Czech,cy cym wel Welsh,da dan Danish,"
    "de deu ger German,el ell gre Greek,en eng English,es spa Spanish,et est Estonian,eu eus baq Basque,"
    "fa fas per Persian,fi fin Finnish,fr fra fre French,ga gle Irish,gl glg Galician,he heb Hebrew,hi hin Hindi,"
    "hr hrv Croatian,hu hun Hungarian,hy hye arm Armenian,id ind Indonesian,is isl ice Icelandic,it ita Italian,"
    "ja jpn Japanese,ka kat geo Georgian,kk kaz Kazakh,ko kor Korean,lt lit Lithuanian,lv lav Latvian,"
    "mk mkd mac Macedonian,ml mal Malayalam,mn mon Mongolian,ms msa may Malay,mt mlt Maltese,nb nob Norwegian,"
    "nl nld dut Dutch,nn nno Nynorsk,no nor Norwegian,pl pol Polish,pt por Portuguese,ro ron rum Romanian,"
    "ru rus Russian,sk slk slo Slovak,sl slv Slovenian,sq sqi alb Albanian,sr srp Serbian,sv swe Swedish,"
    "sw swa Swahili,ta tam Tamil,te tel Telugu,th tha Thai,tl tgl Tagalog,tr tur Turkish,uk ukr Ukrainian,ur urd Urdu,"
    "vi vie Vietnamese,zh zho chi Chinese"
)
_ROWS = [row.split() for row in _TABLE.split(",")]
_ALIKE = {code: frozenset(codes) for *codes, _ in _ROWS for code in codes}
_NAMES = {code: name for *codes, name in _ROWS for code in codes}


def is_same(one: str, other: str) -> bool:
    """Whether two codes mean one language; regions, as in pt-BR, do not count."""
    one, other = (code.lower().partition("-")[0] for code in (one, other))
    return one == other or other in _ALIKE.get(one, ())


def name_of(code: str) -> str:
    """What a menu calls it, in English: Portuguese (BR) for pt-br; the code itself where it is none of the table."""
    language, _, rest = code.lower().partition("-")
    name = _NAMES.get(language)
    return code if name is None else f"{name} ({rest.upper()})" if rest else name
