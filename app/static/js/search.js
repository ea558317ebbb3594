// Continues a search that stopped before it found anything, a page at a time, until there is something to show or nothing
// left to read. Replaces only what was found: the form may be in use.

import { one } from "./dom.js";
import { localiseTimes } from "./times.js";

async function searchOn() {
  const link = one("[data-search-on]");
  if (!link) return;
  link.textContent = "Still searching…";
  try {
    const answer = await fetch(link.href);
    const found = one("#found", new DOMParser().parseFromString(await answer.text(), "text/html"));
    // There is none on the sign-in page, to which the answer may lead.
    if (!found) throw new Error(answer.url);
    if (!link.isConnected) return;
    one("#found").replaceWith(found);
    history.replaceState(null, "", link.href);
    localiseTimes(found);
    searchOn();
  } catch {
    link.textContent = "Keep searching";
  }
}

searchOn();
