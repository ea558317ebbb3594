"""The smallest workbooks, right and wrong ones."""

from __future__ import annotations

import io
import zipfile

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELATIONS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="a" Type="http://x/{kind}" Target="{target}"/></Relationships>'
)
ROW = '<row r="1"><c t="inlineStr"><is><t>Name</t></is></c><c t="inlineStr"><is><t>Qty</t></is></c></row>'


def make_workbook(data: str = ROW, **changes: str | bytes) -> bytes:
    """A smallest workbook with these rows, and some of its parts changed: ``workbook``, ``sheet`` or ``more``."""
    parts: dict[str, str | bytes] = {
        "_rels/.rels": RELATIONS.format(kind="officeDocument", target="xl/workbook.xml"),
        "xl/_rels/workbook.xml.rels": RELATIONS.format(kind="worksheet", target="worksheets/sheet1.xml"),
        "xl/workbook.xml": changes.get("workbook")
        or f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets><sheet name="One" r:id="a"/></sheets></workbook>',
        "xl/worksheets/sheet1.xml": changes.get("sheet")
        or f'<worksheet xmlns="{MAIN}"><sheetData>{data}</sheetData></worksheet>',
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return out.getvalue()
