"""Tables once the page is written: cards on a phone, printed numbers in outputs.

Wide tables become a card a row, each cell with the name of its column.

The names are put into the HTML once the page is written; book/_static/lindecay.css
turns rows into cards where the screen is narrow.
"""

import re
from itertools import count

from lindecay.site.directives import printed

WIDE = 4  # columns: fewer fit on a phone
TABLE = re.compile(r'<table class="([^"]*\bshown-table\b[^"]*)"(.*?)</table>', re.S)
HEAD = re.compile(r"<th\b[^>]*>(.*?)</th>", re.S)
ROW = re.compile(r"<tr\b.*?</tr>", re.S)
CELL = re.compile(r"<td\b")
FRAME = re.compile(r'<table[^>]*class="dataframe.*?</table>', re.S)  # pandas, as it ran
NUMBER = re.compile(r"(<td[^>]*>)(-[\d.]+)(?=</td>)")


def signed(body: str) -> str:
    """The body with real minus signs, and no zero below zero, in tables of outputs.

    >>> signed('<table class="dataframe"><td>-0.0</td><td>-2.5</td></table><td>-1</td>')
    '<table class="dataframe"><td>0.0</td><td>\u22122.5</td></table><td>-1</td>'
    """
    return FRAME.sub(lambda m: NUMBER.sub(_printed, m[0]), body)


def _printed(found: re.Match) -> str:
    return found[1] + printed(found[2])


def labelled(body: str) -> str:
    """The page's body with the columns' names in the cells of its wide tables.

    >>> made = labelled('<table class="shown-table"><thead><tr>' + "".join(
    ...     f"<th><p>{c}</p></th>" for c in "abcde") + "</tr></thead><tbody><tr>"
    ...     + "<td>1</td>" * 5 + "</tr></tbody></table>")
    >>> made.count("data-label"), 'data-label="e"' in made, "cards" in made
    (5, True, True)
    """
    return TABLE.sub(_table, body)


def _table(found: re.Match) -> str:
    head, _, rest = found[2].partition("</thead>")
    names = [re.sub(r"<[^>]+>", "", name).strip() for name in HEAD.findall(head)]
    if len(names) < WIDE:
        return found[0]
    rest = ROW.sub(lambda row: _row(row[0], names), rest)
    return f'<table class="{found[1]} cards"{head}</thead>{rest}</table>'


def _row(row: str, names: list[str]) -> str:
    """Cells of a row in order; the text of a header is escaped already."""
    at = count()

    def named(_) -> str:
        label = names[min(next(at), len(names) - 1)].replace('"', "&quot;")
        return f'<td data-label="{label}"'

    return CELL.sub(named, row)
