// Puts new numbers where old ones stand, and loads the whole page when more than numbers has changed. The page works
// without it. The longer an answer takes, the longer it waits before it asks again.
"use strict";
const place = document.querySelector("[data-live-from]");
const note = document.querySelector("[data-live-note]");
const LEAST = 2000;

function wait(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function isSeen() {
  return document.visibilityState === "visible" ? Promise.resolve() : new Promise((resolve) => {
    document.addEventListener("visibilitychange", resolve, { once: true });
  });
}

async function load() {
  const answer = await fetch(place.dataset.liveFrom, { credentials: "same-origin", cache: "no-store" });
  if (answer.redirected) location.reload(); // signed out meanwhile
  if (!answer.ok) throw new Error(answer.statusText);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

function renew(fresh) {
  const parts = [...document.querySelectorAll("[data-live]")];
  const state = place.dataset.liveState;
  const found = parts.map((part) => fresh.querySelector(`[data-live="${CSS.escape(part.dataset.live)}"]`));
  if ((state && state !== fresh.body.dataset.liveState) || found.includes(null)) {
    location.reload();
    return;
  }
  parts.forEach((part, number) => { // what stays the same keeps the focus
    if (part.innerHTML !== found[number].innerHTML) part.replaceChildren(...found[number].childNodes);
  });
}

async function watch() {
  note.hidden = false;
  for (;;) {
    const began = performance.now();
    try {
      renew(await load());
      note.textContent = "Kept up to date.";
    } catch {
      note.textContent = "The server can't be reached; these numbers are old.";
    }
    await wait(Math.max(LEAST, 5 * (performance.now() - began)));
    await isSeen();
  }
}

if (place) wait(LEAST).then(watch);
