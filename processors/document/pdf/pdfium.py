"""PDFium's functions that are called for every character, by the shortest way.

pypdfium2's bindings let go of Python's lock around each call and wrap each pointer, which takes longer than the calls
themselves. Here a pointer is a number. PDFium is not safe in threads, so nothing is lost: each process has it alone.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_double, c_float, c_int, c_uint, c_ulong, c_void_p
from typing import Any

import pypdfium2.raw as raw
import pypdfium2_raw.bindings as bindings

_library = ctypes.PyDLL(bindings._libs["pdfium"]._name)


def _function(name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(_library, name)
    function.restype, function.argtypes = result, arguments
    return function


class Rect(ctypes.Structure):
    """PDFium's FS_RECTF."""

    _fields_ = [("left", c_float), ("top", c_float), ("right", c_float), ("bottom", c_float)]


class Matrix(ctypes.Structure):
    """PDFium's FS_MATRIX: x' = ax + cy + e, y' = bx + dy + f."""

    _fields_ = [(name, c_float) for name in "abcdef"]


count_chars = _function("FPDFText_CountChars", c_int, c_void_p)
unicode_of = _function("FPDFText_GetUnicode", c_uint, c_void_p, c_int)
is_hyphen = _function("FPDFText_IsHyphen", c_int, c_void_p, c_int)
text_object = _function("FPDFText_GetTextObject", c_void_p, c_void_p, c_int)
loose_box = _function("FPDFText_GetLooseCharBox", c_int, c_void_p, c_int, POINTER(Rect))
origin = _function("FPDFText_GetCharOrigin", c_int, c_void_p, c_int, POINTER(c_double), POINTER(c_double))
font_size = _function("FPDFText_GetFontSize", c_double, c_void_p, c_int)
font_weight = _function("FPDFText_GetFontWeight", c_int, c_void_p, c_int)
font_info = _function("FPDFText_GetFontInfo", c_ulong, c_void_p, c_int, c_void_p, c_ulong, POINTER(c_int))
char_matrix = _function("FPDFText_GetMatrix", c_int, c_void_p, c_int, POINTER(Matrix))
render_mode = _function("FPDFTextObj_GetTextRenderMode", c_int, c_void_p)
font_of = _function("FPDFTextObj_GetFont", c_void_p, c_void_p)
content_id = _function("FPDFPageObj_GetMarkedContentID", c_int, c_void_p)

count_objects = _function("FPDFPage_CountObjects", c_int, c_void_p)
object_at = _function("FPDFPage_GetObject", c_void_p, c_void_p, c_int)
object_type = _function("FPDFPageObj_GetType", c_int, c_void_p)
object_bounds = _function("FPDFPageObj_GetBounds", c_int, c_void_p, *[POINTER(c_float)] * 4)
object_matrix = _function("FPDFPageObj_GetMatrix", c_int, c_void_p, POINTER(Matrix))
form_count = _function("FPDFFormObj_CountObjects", c_int, c_void_p)
form_object = _function("FPDFFormObj_GetObject", c_void_p, c_void_p, c_ulong)
path_segments = _function("FPDFPath_CountSegments", c_int, c_void_p)
path_segment = _function("FPDFPath_GetPathSegment", c_void_p, c_void_p, c_int)
segment_point = _function("FPDFPathSegment_GetPoint", c_int, c_void_p, POINTER(c_float), POINTER(c_float))
segment_type = _function("FPDFPathSegment_GetType", c_int, c_void_p)
fill_color = _function("FPDFPageObj_GetFillColor", c_int, c_void_p, *[POINTER(c_uint)] * 4)
path_mode = _function("FPDFPath_GetDrawMode", c_int, c_void_p, POINTER(c_int), POINTER(c_int))

OBJECT_PATH, OBJECT_IMAGE, OBJECT_FORM = raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_FORM


def pointer(handle: Any) -> int:
    """The number of a pointer of pypdfium2's."""
    return ctypes.cast(handle, c_void_p).value or 0
