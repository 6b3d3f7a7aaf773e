"""The profile that LibreOffice is started with, and the macro by which it is told what to do.

The macro is ours and LibreOffice's own; those of documents never run. Its arguments are in the environment, because a
macro's address has no way to quote them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

#: what runs the macro
MACRO: Final = "macro:///Standard.Pitchey.Convert"

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_COMMON = "/org.openoffice.Office.Common"
#: path, name and value of what differs from the defaults
_SETTINGS: tuple[tuple[str, str, str], ...] = (
    # Else the first start overwrites what stands here with a user's first profile.
    ("/org.openoffice.Setup/Office", "ooSetupInstCompleted", "true"),
    (f"{_COMMON}/Security/Scripting", "DisableMacrosExecution", "true"),
    (f"{_COMMON}/Security/Scripting", "MacroSecurityLevel", "3"),
    (f"{_COMMON}/Security/Scripting", "BlockUntrustedRefererLinks", "true"),
    (f"{_COMMON}/Save/Document", "LoadPrinter", "false"),
    (f"{_COMMON}/Save/Document", "CreateBackup", "false"),
    ("/org.openoffice.Office.Recovery/AutoSave", "Enabled", "false"),
    ("/org.openoffice.Office.Writer/Content/Update", "Link", "2"),  # never
    ("/org.openoffice.Office.Calc/Content/Update", "Link", "2"),
)

_CONVERT = """\
Sub Convert
  On Error GoTo Failed
  Dim how(6) As New com.sun.star.beans.PropertyValue
  how(0).Name = "Hidden" : how(0).Value = True
  how(1).Name = "Silent" : how(1).Value = True
  how(2).Name = "ReadOnly" : how(2).Value = True
  how(3).Name = "MacroExecutionMode" : how(3).Value = com.sun.star.document.MacroExecMode.NEVER_EXECUTE
  how(4).Name = "UpdateDocMode" : how(4).Value = com.sun.star.document.UpdateDocMode.NO_UPDATE
  how(5).Name = "FilterName" : how(5).Value = Environ("PITCHEY_FROM")
  ' An empty password is a wrong one to LibreOffice 25.
  If Environ("PITCHEY_PASSWORD") <> "" Then
    how(6).Name = "Password" : how(6).Value = Environ("PITCHEY_PASSWORD")
  End If
  document = StarDesktop.loadComponentFromURL(Environ("PITCHEY_SOURCE"), "_blank", 0, how())
  If IsNull(document) Then
    Say "it cannot be opened"
    Exit Sub
  End If
  If Environ("PITCHEY_PAPER") = "A4" Then PutOnA4 document
  Dim into(1) As New com.sun.star.beans.PropertyValue
  into(0).Name = "FilterName"
  If Environ("PITCHEY_TO") = "pdf" Then
    Dim details(2) As New com.sun.star.beans.PropertyValue
    details(0).Name = "SelectPdfVersion" : details(0).Value = CLng(Environ("PITCHEY_PDF_VERSION"))
    details(1).Name = "UseTaggedPDF" : details(1).Value = True
    details(2).Name = "ExportBookmarks" : details(2).Value = True
    into(0).Value = Part(document, "writer_pdf_Export", "calc_pdf_Export", "impress_pdf_Export")
    into(1).Name = "FilterData" : into(1).Value = details()
  Else
    into(0).Value = Part(document, "MS Word 2007 XML", "Calc MS Excel 2007 XML", "Impress MS PowerPoint 2007 XML")
  End If
  document.storeToURL(Environ("PITCHEY_TARGET"), into())
  Exit Sub
Failed:
  Say Error$
End Sub

' What says nothing of its paper comes out on that of the United States, which the formats or LibreOffice presume.
Sub PutOnA4(document)
  styles = document.StyleFamilies.getByName("PageStyles")
  For number = 0 To styles.Count - 1
    style = styles.getByIndex(number)
    If Abs(style.Width - 21590) < 20 And Abs(style.Height - 27940) < 20 Then
      style.Width = 21000 : style.Height = 29700
    ElseIf Abs(style.Width - 27940) < 20 And Abs(style.Height - 21590) < 20 Then
      style.Width = 29700 : style.Height = 21000
    End If
  Next
End Sub

Function Part(document, writer As String, calc As String, impress As String) As String
  If document.supportsService("com.sun.star.sheet.SpreadsheetDocument") Then
    Part = calc
  ElseIf document.supportsService("com.sun.star.presentation.PresentationDocument") Then
    Part = impress
  Else
    Part = writer
  End If
End Function

Sub Say(words As String)
  number = FreeFile
  Open Environ("PITCHEY_WORDS") For Output As #number
  Print #number, words
  Close #number
End Sub
"""


def write(directory: Path) -> None:
    """Make a profile."""
    basic = directory / "user" / "basic"
    standard = basic / "Standard"
    standard.mkdir(parents=True)
    (directory / "user" / "registrymodifications.xcu").write_text(_settings())
    for kind in ("script", "dialog"):
        (basic / f"{kind}.xlc").write_text(_libraries(kind))
        (standard / f"{kind}.xlb").write_text(_library("Pitchey" if kind == "script" else None))
    (standard / "Pitchey.xba").write_text(_module("Pitchey", _CONVERT))


def _settings() -> str:
    items = "".join(
        f'<item oor:path="{path}"><prop oor:name="{name}" oor:op="fuse"><value>{value}</value></prop></item>\n'
        for path, name, value in _SETTINGS
    )
    return (
        f'{_HEAD}<oor:items xmlns:oor="http://openoffice.org/2001/registry" '
        'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n'
        f"{items}</oor:items>\n"
    )


def _libraries(kind: str) -> str:
    return (
        f'{_HEAD}<!DOCTYPE library:libraries PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "libraries.dtd">\n'
        '<library:libraries xmlns:library="http://openoffice.org/2000/library" '
        'xmlns:xlink="http://www.w3.org/1999/xlink">\n'
        f'<library:library library:name="Standard" xlink:href="$(USER)/basic/Standard/{kind}.xlb/" '
        'xlink:type="simple" library:link="false"/>\n</library:libraries>\n'
    )


def _library(module: str | None) -> str:
    element = f'<library:element library:name="{module}"/>\n' if module else ""
    return (
        f'{_HEAD}<!DOCTYPE library:library PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "library.dtd">\n'
        '<library:library xmlns:library="http://openoffice.org/2000/library" library:name="Standard" '
        f'library:readonly="false" library:passwordprotected="false">\n{element}</library:library>\n'
    )


def _module(name: str, text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return (
        f'{_HEAD}<!DOCTYPE script:module PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "module.dtd">\n'
        '<script:module xmlns:script="http://openoffice.org/2000/script" '
        f'script:name="{name}" script:language="StarBasic">\n{escaped}</script:module>\n'
    )
