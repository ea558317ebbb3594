// Keeps the live parts of a page up to date.
//
// Each live part is fetched again from its own address and morphed into what it has become: focus, selection, open details
// and scroll position stay. It is refreshed every few seconds while its data-live-seconds says so, more rarely while the
// server is slow or does not respond, and not at all while the page is hidden.

import { all, one } from "./dom.js";
import { announce, explainAnswer, sentenceOf, showToast } from "./messages.js";
import { localiseTimes, saySeconds } from "./times.js";

const LONGEST_REST = 30_000;
const LONGEST_REQUEST = 10_000;
// A slow server rests this many times as long as it took to answer.
const RESTS_FOR_REQUEST = 4;

// For each live part: the timer of its next refresh, the request under way, how many have failed in a row, the time of the
// last success, and what is wrong.
const states = new WeakMap();
// Rises with each press of a button: an answer to what was asked before that is not shown.
let generation = 0;
// Ids of imports that were told to stop and have not answered yet.
const stopping = new Set();

// The import whose button was pressed last. The button may be gone afterwards; the focus then goes to its import and is
// not lost at the top of the page.
let pressedIn = null;

export function keepFocusIn(element) {
  pressedIn = element;
}

function stateOf(part) {
  if (!states.has(part)) states.set(part, { timer: 0, request: null, failures: 0, lastSuccess: new Date(), trouble: null });
  return states.get(part);
}

function schedule(part, rest) {
  const state = stateOf(part);
  clearTimeout(state.timer);
  state.timer = setTimeout(() => refresh(part), rest);
}

function watch() {
  for (const part of all("[data-live-seconds]")) {
    const state = stateOf(part);
    if (!state.timer && !state.request && !document.hidden) schedule(part, part.dataset.liveSeconds * 1000);
  }
}

async function fetchPart(part, signal) {
  const answer = await fetch(part.dataset.live, {
    headers: { "HX-Request": "true", "HX-Current-URL": window.location.href, "Sluice-Poll": "1" },
    cache: "no-store",
    redirect: "manual",
    signal,
  });
  if (!answer.ok) throw Object.assign(new Error(), { answer });
  const content = document.createElement("template");
  content.innerHTML = await answer.text();
  const fresh = one("[data-live]", content.content);
  // Something on the way has answered in place of Sluice.
  if (!fresh) throw new Error();
  return fresh;
}

export async function refresh(part) {
  const state = stateOf(part);
  clearTimeout(state.timer);
  state.timer = 0;
  state.request?.abort();
  state.request = null;
  // It is refreshed when the page is shown again.
  if (!part.isConnected || document.hidden) return;
  const request = (state.request = new AbortController());
  const patience = setTimeout(() => request.abort(), LONGEST_REQUEST);
  const askedIn = generation;
  const began = performance.now();
  let failure = null;
  try {
    const fresh = await fetchPart(part, request.signal);
    if (state.request === request && askedIn === generation && part.isConnected) {
      Idiomorph.morph(part, fresh, { morphStyle: "outerHTML" });
      htmx.process(part);
      showPart(part);
    }
  } catch (error) {
    failure = error;
  }
  clearTimeout(patience);
  // Another request has begun in the meantime, and goes on from here.
  if (state.request !== request) return;
  state.request = null;
  if (failure) retry(part, failure.answer);
  else succeed(part, performance.now() - began);
}

const secondsOf = (part) => Number(part.dataset.liveSeconds) || 1;

function succeed(part, took) {
  Object.assign(stateOf(part), { failures: 0, trouble: null, lastSuccess: new Date() });
  showConnection();
  const rest = Math.max(secondsOf(part) * 1000, took * RESTS_FOR_REQUEST);
  if (part.dataset.liveSeconds && part.isConnected) schedule(part, Math.min(rest, LONGEST_REST));
}

function retry(part, answer) {
  const state = stateOf(part);
  const isSignedOut = answer && (answer.status === 401 || answer.type === "opaqueredirect");
  state.trouble = isSignedOut ? "signed-out" : answer?.status === 404 ? "gone" : "away";
  showConnection();
  // The others do not get better by asking again.
  if (state.trouble !== "away") return;
  state.failures += 1;
  const asked = Number(answer?.headers.get("Retry-After")) * 1000 || 0;
  const rest = Math.min(secondsOf(part) * 1000 * 2 ** state.failures, LONGEST_REST);
  // Not all pages at the same moment, when a server comes back.
  schedule(part, Math.max(rest, asked) * (0.9 + Math.random() / 5));
  one("[data-connection-note]").dataset.failures = state.failures;
}

function refreshAll(except) {
  for (const part of all("[data-live]")) if (part !== except) refresh(part);
}

// What is done for a part whenever it has become another.
function showPart(part) {
  localiseTimes(part);
  document.dispatchEvent(new Event("sluice:shown"));
  showStopping();
  if (!part.matches("[data-live]")) return;
  // What was waited for is there, on a page of its own.
  if (part.dataset.next) window.location.replace(part.dataset.next);
  if (part.dataset.title && part.closest("main")) document.title = `${part.dataset.title} – Sluice`;
  announce(part.dataset);
}

const isOver = (element) => ["COMPLETED", "FAILED", "TERMINATED"].includes(element.dataset.status);

// From the press of the button until the answer, which waits for the rows in progress. A refresh may bring the end first.
function showStopping() {
  for (const id of stopping) {
    for (const element of all(`[data-import-id="${CSS.escape(id)}"]`)) {
      if (isOver(element)) continue;
      const pill = one(".pill", element);
      if (pill) pill.textContent = "Stopping…";
      for (const button of all("[data-action] button, [data-confirm-terminate] button", element)) button.disabled = true;
    }
  }
}

// One note for all parts of the page: the worst that there is to say.
function showConnection() {
  const note = one("[data-connection-note]");
  const troubled = [...all("[data-live]")].map(stateOf).filter((state) => state.trouble);
  note.hidden = !troubled.length;
  if (!troubled.length) return;
  const since = saySeconds(Math.min(...troubled.map((state) => state.lastSuccess)));
  const isSignedOut = troubled.some((state) => state.trouble === "signed-out");
  const isGone = troubled.some((state) => state.trouble === "gone");
  let words = `Last updated ${since} – reconnecting…`;
  if (isGone) words = "This import no longer exists.";
  if (isSignedOut) words = `You’ve been signed out. Showing data from ${since}.`;
  const said = one("[data-connection-words]", note);
  // Said once, however often it is tried.
  if (said.textContent !== words) said.textContent = words;
  const link = one("[data-connection-sign-in]", note);
  link.hidden = !isSignedOut;
  link.search = new URLSearchParams({ next: window.location.pathname + window.location.search });
  one("[data-connection-retry]", note).hidden = isSignedOut || isGone;
}

function isSelected(node, part) {
  const selection = document.getSelection();
  if (!selection || selection.isCollapsed || !selection.containsNode(node, true)) return false;
  // A selection of the whole page must not keep it from changing.
  return !part || !selection.containsNode(part);
}

// The extension that comes with Idiomorph takes every swap for a morph when htmx asks it where an out-of-band part goes, so
// that "beforeend" would insert the wrapper of the toasts, and its id once more with each press.
const MORPH = "morph:outerHTML";
htmx.defineExtension("morph", {
  isInlineSwap: (style) => style === MORPH,
  handleSwap: (style, target, content) => style === MORPH && Idiomorph.morph(target, content.children, { morphStyle: "outerHTML" }),
});

Object.assign(Idiomorph.defaults.callbacks, {
  // The text of a time is ours; without this every refresh would put UTC back and redraw it. And a word that somebody is
  // about to copy stays as it is.
  beforeNodeMorphed(before, after) {
    if (before instanceof HTMLTimeElement && after instanceof HTMLTimeElement) return before.dateTime !== after.dateTime;
    return !(before instanceof Text && isSelected(before, before.parentElement?.closest("[data-live]")));
  },
  // What people have opened stays open.
  beforeAttributeUpdated: (name, element) => !(name === "open" && element instanceof HTMLDetailsElement),
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refreshAll();
});
window.addEventListener("online", () => refreshAll());
one("[data-connection-retry]").addEventListener("click", () => refreshAll());

const isPost = (event) => event.detail.requestConfig.verb === "post";
const stopped = (event) => /\/imports\/([0-9a-f-]+)\/terminate$/.exec(event.detail.requestConfig.path)?.[1];

document.addEventListener("htmx:beforeRequest", (event) => {
  const { elt } = event.detail;
  if (elt.matches("[data-action]")) keepFocusIn(elt.closest("[data-import-id]"));
  if (isPost(event) && stopped(event)) {
    stopping.add(stopped(event));
    showStopping();
  }
});
document.addEventListener("htmx:afterRequest", (event) => {
  if (!isPost(event)) return;
  const { successful, xhr } = event.detail;
  stopping.delete(stopped(event));
  generation += 1;
  if (!successful) {
    showToast(sentenceOf(xhr) || `${explainAnswer(xhr)} Look at the state of the import, then try again.`);
  }
  // The button was on one live part, but others show the same import: the panel and the list behind it.
  refreshAll(successful ? event.detail.target : null);
});
document.addEventListener("htmx:afterSwap", (event) => {
  showPart(event.target);
  watch();
});
document.addEventListener("htmx:afterSettle", () => {
  if (!pressedIn?.isConnected) return;
  if (document.activeElement === document.body) pressedIn.focus({ preventScroll: true });
  pressedIn = null;
});
for (const part of all("[data-live]")) showPart(part);
watch();
