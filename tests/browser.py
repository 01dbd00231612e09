"""A headless browser that loads a page as it is, and says how it came out."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# It stays alone: no updates, no reports, no look-ups.
_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)

# The page stands in a frame of the width that is asked for: a window may not be made as narrow, and the
# script stays outside, so that the page is loaded with its own content security policy.
_WRAPPER = """<!DOCTYPE html><pre id="found">nothing</pre><script>
function look(frame) {
  const page = frame.contentDocument, root = page.documentElement, wide = frame.clientWidth;
  const box = (each) => each.getBoundingClientRect();
  const name = (each) => each.tagName + '.' + each.getAttribute('class') + '#' + each.id;
  const free = (each) => !each.parentElement.closest('.scroll') && !each.closest('.skip');
  const scrolls = (each) => each.scrollWidth > each.clientWidth + 1;
  const shown = [...page.body.querySelectorAll('*')].filter((each) => each.getClientRects().length);
  const overlaps = [];
  for (const plot of page.querySelectorAll('svg.plot')) {
    const texts = [...plot.querySelectorAll('text')].map((each) => [each.textContent, box(each)]);
    const all = box(plot);
    texts.forEach(([text, a], at) => {
      if (a.left < all.left || a.right > all.right || a.top < all.top || a.bottom > all.bottom)
        overlaps.push(text + ' leaves its plot');
      for (const [other, b] of texts.slice(at + 1))
        if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
          overlaps.push(text + ' lies over ' + other);
    });
  }
  const letters = [...page.querySelectorAll('svg.plot text')].map((each) => {
    const scale = box(each.ownerSVGElement).width / each.ownerSVGElement.viewBox.baseVal.width;
    return parseFloat(getComputedStyle(each).fontSize) * scale;
  });
  document.getElementById('found').textContent = JSON.stringify({
    width: wide,
    inner: frame.contentWindow.innerWidth,
    scroll: root.scrollWidth,
    beyond: shown.filter((each) => free(each) && box(each).right > wide + 0.5).map(name),
    tables: [...page.querySelectorAll('.scroll')].filter(scrolls).length,
    overlaps: overlaps,
    smallest: Math.min(...letters),
    resources: frame.contentWindow.performance.getEntriesByType('resource').map((each) => each.name),
    title: page.title,
    scripts: page.scripts.length,
    plots: page.querySelectorAll('svg.plot').length,
    unseen: [...page.querySelectorAll('section')].filter((each) => box(each).height < 20).map(name),
    background: getComputedStyle(page.body).backgroundColor,
  });
}
</script><iframe onload="look(this)" style="border:0;width:%dpx;height:900px" srcdoc="%s"></iframe>"""


def find_browser() -> str:
    """Return the browser's program; skip the test where there is none, or fail where one is required."""
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return found
    reason = f"needs a browser: one of {', '.join(NAMES)} (Debian: apt-get install chromium)"
    if os.environ.get("ROUTESDK_REQUIRE_BROWSER"):
        pytest.fail(reason)
    pytest.skip(reason)


def look_at(page: str, width: int, folder: Path, *flags: str) -> dict[str, Any]:
    """Load a page at a width in CSS pixels, and return what was found of its layout."""
    wrapper = folder / "wrapper.html"
    wrapper.write_text(_WRAPPER % (width, html.escape(page)), encoding="utf-8")
    dumped = _run(folder, f"--window-size={max(width, 600)},1000", *flags, "--dump-dom", wrapper.as_uri())
    found = re.search(r'<pre id="found">(.*?)</pre>', dumped, re.DOTALL)
    assert found and found[1] != "nothing", dumped[:2000]
    values: dict[str, Any] = json.loads(html.unescape(found[1]))
    return values


def print_page(page: str, folder: Path) -> bytes:
    """Print a page, and return the PDF."""
    file, printed = folder / "page.html", folder / "page.pdf"
    file.write_text(page, encoding="utf-8")
    _run(folder, "--no-pdf-header-footer", f"--print-to-pdf={printed}", file.as_uri())
    return printed.read_bytes()


def _run(folder: Path, *arguments: str) -> str:
    # What a browser runs in its sandbox cannot be started by root.
    root = ("--no-sandbox",) if os.geteuid() == 0 else ()
    done = subprocess.run(
        [find_browser(), *_FLAGS, *root, f"--user-data-dir={folder / 'profile'}", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
