from __future__ import annotations

from airflow_provider_emrkit.ui import notice
from airflow_provider_emrkit.ui.notice import Notice


def test_a_page_shows_what_others_have_written_as_text():
    page = Notice(502, "<b>", "AWS said <script>alert(1)</script>", "Ask 'Ann' & \"Bob\"").page()
    assert "<script>" not in page
    assert "AWS said &lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert page.count("&lt;b&gt;") == 2
    assert "Ask &#x27;Ann&#x27; &amp; &quot;Bob&quot;" in page


def test_a_page_without_a_mend_has_no_empty_paragraph():
    assert "<p></p>" not in Notice(404, "Nothing", "Nothing is here.").page()


def test_pages_are_kept_nowhere_and_load_nothing():
    assert notice.HEADERS["Cache-Control"] == "no-store"
    assert notice.HEADERS["Content-Security-Policy"].startswith("default-src 'none'")
    assert notice.HEADERS["Referrer-Policy"] == "no-referrer"
