"""What a page says that has nothing else to show. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 42rem; margin: 4rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.4rem; }}
p {{ overflow-wrap: anywhere; }}
:root {{ color-scheme: light dark; }}
</style>
</head>
<body>
<h1>{title}</h1>
{paragraphs}
{further}
</body>
</html>
"""

# The address of a Spark UI is a secret for as long as it holds, and no page of ours loads anything.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass
class Notice(Exception):  # noqa: N818 - most of them are no errors
    """Says on a page of its own why there is nothing else to show.

    :param status: Of the HTTP answer.
    :param title: What is the matter, in a few words.
    :param text: What is the matter, in full.
    :param mend: What to do about it.

    >>> Notice(404, "Nothing yet", "The task has submitted nothing yet.", "Try again later.").status
    404
    """

    status: int
    title: str
    text: str
    mend: str = ""

    def page(self, further: str = "") -> str:
        """Give the page as HTML.

        :param further: HTML of ours to show as well.
        """
        said = (escape(part) for part in (self.text, self.mend) if part)
        paragraphs = "\n".join(f"<p>{part}</p>" for part in said)
        return _PAGE.format(title=escape(self.title), paragraphs=paragraphs, further=further)


FORBIDDEN = Notice(
    403, "Not for you", "You may not see the task instances of this DAG.", "Ask an admin of Airflow."
)
