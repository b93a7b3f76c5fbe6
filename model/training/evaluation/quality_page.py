"""A model's report as one HTML page: the table, and sheets inside the file."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping

from model.training.evaluation.quality import Quality

STYLE = """body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; }
table { border-collapse: collapse; } td, th { padding: .2rem 1rem .2rem 0; text-align: right; }
td:first-child, th:first-child { text-align: left; } thead { border-bottom: 1px solid; }
img { max-width: 100%; image-rendering: pixelated; } code { word-break: break-all; }
@media (prefers-color-scheme: dark) { body { background: #16181c; color: #e6e6e6; } }"""


def quality_page(name: str, digest: str, report: Quality, sheets: Mapping[str, bytes]) -> str:
    """Write the page.

    Args:
        name: the model's.
        digest: the checkpoint's.
        report: what was measured.
        sheets: what each shows, in words, to a PNG.
    Returns:
        HTML that asks nothing of any host.
    """
    rows = "\n".join(
        f"<tr><td>{html.escape(label)}</td><td>{ours}</td><td>{theirs}</td></tr>"
        for label, ours, theirs in report.rows()
    )
    figures = "\n".join(
        f'<h2>{html.escape(title)}</h2>\n<p><img alt="{html.escape(title)}" '
        f'src="data:image/png;base64,{base64.b64encode(png).decode("ascii")}"></p>'
        for title, png in sheets.items()
    )
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(name)}: quality</title>
<style>{STYLE}</style>
<h1>{html.escape(name)}</h1>
<p><code>{html.escape(digest)}</code></p>
<p>Means and standard deviations of {report.splits} splits, each of {report.images:,} generated images
against as many real ones; on the right one half of the real ones against the other. KID-EffNet looks through
the network that projected training looks through; KID-ResNet, precision and recall through one that it never
sees.</p>
<table>
<thead><tr><th></th><th>model</th><th>real/real</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
{figures}
</html>
"""
