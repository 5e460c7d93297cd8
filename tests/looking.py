"""What tests look at pages and mails with: Debian's Chromium, and what they ask it."""

import os
from pathlib import Path

import pytest

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]

CONTRASTS = """() => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const luminance = colour => {
    const linear = part => part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4;
    const [r, g, b] = colour.slice(0, 3).map(part => linear(part / 255));
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const ratios = [];
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.offsetParent || element.className === "bar") continue;
    const pair = [luminance(parse(getComputedStyle(element).color)), luminance(ground(element))].sort((a, b) => b - a);
    ratios.push([(pair[0] + .05) / (pair[1] + .05), walker.currentNode.data]);
  }
  return ratios;
}"""
"""Returns the contrast of each piece of text that is seen (WCAG 2.2, 1.4.3), and the text."""


def find_chromium() -> None:
    """Skip where there is no browser, but never under CI."""
    if not CHROMIUM.exists():
        reason = f"there is no {CHROMIUM} to look with"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}, and CI must look")
        pytest.skip(reason)
