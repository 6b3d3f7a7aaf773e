"""Languages as people write them, and as files do: fr, fra and fre are one."""

from __future__ import annotations

# ISO 639-1, and 639-2 in its terminological form and, where it differs, its bibliographic one.
_CODES = (
    "ar ara,bg bul,bn ben,ca cat,cs ces cze,cy cym wel,da dan,de deu ger,el ell gre,en eng,es spa,et est,eu eus baq,"
    "fa fas per,fi fin,fr fra fre,ga gle,gl glg,he heb,hi hin,hr hrv,hu hun,hy hye arm,id ind,is isl ice,it ita,"
    "ja jpn,ka kat geo,kk kaz,ko kor,lt lit,lv lav,mk mkd mac,ml mal,mn mon,ms msa may,mt mlt,nb nob,nl nld dut,"
    "nn nno,no nor,pl pol,pt por,ro ron rum,ru rus,sk slk slo,sl slv,sq sqi alb,sr srp,sv swe,sw swa,ta tam,te tel,"
    "th tha,tl tgl,tr tur,uk ukr,ur urd,vi vie,zh zho chi"
)
_ALIKE = {code: frozenset(codes) for group in _CODES.split(",") for codes in [group.split()] for code in codes}


def is_same(one: str, other: str) -> bool:
    """Whether two codes mean one language; regions, as in pt-BR, do not count."""
    one, other = (code.lower().partition("-")[0] for code in (one, other))
    return one == other or other in _ALIKE.get(one, ())
