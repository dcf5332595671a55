"""Reads PDF forms: is it one, and the text and tables of the pages that may be read."""

from dataclasses import dataclass
from pathlib import Path

import pdfplumber
from pdfminer.pdfdocument import PDFDocument
from pdfminer.pdfpage import PDFPage
from pdfminer.pdfparser import PDFParser

MOST_CHARACTERS = 1200
"""Of a document's text go to the model: what its context holds beside the example and the answer."""


class WrongType(Exception):
    """Not a PDF at all."""


class Corrupt(Exception):
    """A PDF that cannot be read."""


@dataclass(frozen=True)
class Content:
    """What the allowed pages say."""

    text: str
    tables: tuple[tuple[str, ...], ...]
    """Rows of all tables."""


def check(path: Path) -> int:
    """The number of pages. Raises WrongType and Corrupt; reads the structure only, no page."""
    with path.open("rb") as stream:
        if not stream.read(1024).lstrip().startswith(b"%PDF-"):
            raise WrongType("this is no PDF")
        stream.seek(0)
        try:
            document = PDFDocument(PDFParser(stream))
            if document.encryption is not None:
                raise Corrupt("the PDF is encrypted: upload it without a password")
            pages = sum(1 for _ in PDFPage.create_pages(document))
        except Corrupt:
            raise
        except Exception as error:  # the library raises whatever a broken file leads to
            raise Corrupt(f"the PDF is damaged ({type(error).__name__})") from error
    if not pages:
        raise Corrupt("the PDF has no pages")
    return pages


def read(path: Path, pages: int) -> Content:
    """Text and tables of the first ``pages`` pages. Raises WrongType and Corrupt."""
    check(path)
    text: list[str] = []
    rows: list[tuple[str, ...]] = []
    try:
        with pdfplumber.open(path, pages=list(range(1, pages + 1))) as document:
            for page in document.pages:
                text.append(page.extract_text())
                for table in page.extract_tables():
                    rows += [tuple((cell or "").strip() for cell in row) for row in table]
                page.close()  # its objects are the memory of a large document
    except Exception as error:
        raise Corrupt(f"the PDF is damaged ({type(error).__name__})") from error
    found = "\n".join(text)[:MOST_CHARACTERS]
    if not found.strip():
        raise Corrupt("there is no text in the PDF: is it a scan?")
    return Content(found, tuple(rows))
