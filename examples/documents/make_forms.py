"""Makes samples/: tax forms as real PDF files, written here line by line, so that what stands in them is known.

`python make_forms.py` makes form.pdf and large.pdf, with FOLDER 200 behind it forms of 200 people and truth.json.
"""

import json
import random
import sys
import zlib
from pathlib import Path

PAGE = (595, 842)
FIRST = ("Ada", "Ben", "Cora", "David", "Ella", "Finn", "Grace", "Henry", "Iris", "Jack")
LAST = ("Archer", "Baker", "Carter", "Dyer", "Fisher", "Gardner", "Hunter", "Mason", "Potter", "Turner")
CLAUSE = "Amounts are rounded to cents and were reported to the tax office by the employer before the end of the year."


def person(draw: random.Random) -> dict[str, object]:
    """Somebody's true fields."""
    wages = draw.randrange(2_000_000, 9_999_999) / 100
    return {
        "name": f"{draw.choice(FIRST)} {draw.choice(LAST)}",
        "tax_id": f"{draw.randrange(100, 900)}-{draw.randrange(10, 100)}-{draw.randrange(1000, 10000)}",
        "year": draw.randrange(2015, 2026),
        "wages": wages,
        "tax_withheld": round(wages * draw.uniform(0.05, 0.3), 2),
    }


def form(fields: dict[str, object], *, more_pages: int = 0) -> bytes:
    """The form as a PDF: lines of text, a table with ruled cells, and pages of small print."""
    lines = ["ANNUAL WAGE STATEMENT", "", f"Tax year: {fields['year']}", f"Name: {fields['name']}"]
    lines.append(f"Tax ID: {fields['tax_id']}")
    drawn = [_text(60, 780 - 24 * index, 12, line) for index, line in enumerate(lines) if line]
    rows = (("Wages", f"{fields['wages']:,.2f}"), ("Tax withheld", f"{fields['tax_withheld']:,.2f}"))
    for index, row in enumerate(rows):
        y = 620 - 24 * index
        drawn += [f"{x} {y} 200 24 re S" for x in (60, 260)]
        drawn += [_text(x + 6, y + 8, 11, cell) for x, cell in zip((60, 260), row, strict=True)]
    small = [_text(40, 800 - 10 * index, 6, f"{index + 1}. {CLAUSE}") for index in range(76)]
    return pdf(["\n".join(drawn), *["\n".join(small)] * more_pages])


def pdf(pages: list[str]) -> bytes:
    """A PDF 1.4 file of pages with these drawing commands."""
    numbers = range(4, 4 + 2 * len(pages), 2)
    kids = " ".join(f"{number} 0 R" for number in numbers)
    objects: list[bytes | str] = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} /MediaBox [0 0 {PAGE[0]} {PAGE[1]}] >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, page in zip(numbers, pages, strict=True):
        font = "<< /Font << /F1 3 0 R >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R /Resources {font} /Contents {number + 1} 0 R >>")
        packed = zlib.compress(page.encode())
        objects.append(b"<< /Length %d /Filter /FlateDecode >>\nstream\n%b\nendstream" % (len(packed), packed))
    out, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, content.encode() if isinstance(content, str) else content)
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    size = len(objects) + 1
    end = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer\n<< /Size {size} /Root 1 0 R >>\n"
    return out + f"{end}startxref\n{len(out)}\n%%EOF\n".encode()


def _text(x: int, y: int, size: int, text: str) -> str:
    return f"BT /F1 {size} Tf {x} {y} Td ({text}) Tj ET"


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "samples"
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(4711)
    if len(sys.argv) > 2:
        truth = {f"form-{number:03d}.pdf": person(draw) for number in range(int(sys.argv[2]))}
        for name, fields in truth.items():
            (folder / name).write_bytes(form(fields))
        (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n")
    else:
        known = {"name": "Jane Roe", "tax_id": "123-45-6789", "year": 2024, "wages": 52310.75, "tax_withheld": 6120.4}
        (folder / "form.pdf").write_bytes(form(known))
        (folder / "large.pdf").write_bytes(form(known, more_pages=40))
