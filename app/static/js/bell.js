// Keeps the bell up to date, marks what is on the page as seen, and shows notifications of the browser where the seller has
// asked for them.

import { all, one } from "./dom.js";
import { localiseTimes } from "./times.js";

const REST_WHILE_MOVING = 5_000;
const REST_OTHERWISE = 30_000;
// Set in the browsers in which notifications are on: the ids of the imports that need none any more.
const TOLD = "sluice-told";
const bell = () => one("#bell");

const told = () => JSON.parse(localStorage.getItem(TOLD) ?? "null");
const isOn = () => told() !== null && globalThis.Notification?.permission === "granted";
const entries = () => [...all("[data-bell-entry]", bell())];

// Whether it is worth asking again: not after the seller was signed out. An answer that is late or wrong is left to the
// next one, because the bell is only a hint.
async function refresh() {
  const answer = await fetch(bell().dataset.bell, { headers: { "HX-Request": "true" }, cache: "no-store", redirect: "manual" });
  if (answer.status === 401) return false;
  const content = document.createElement("template");
  content.innerHTML = answer.ok ? await answer.text() : "";
  const fresh = one("#bell", content.content);
  if (!fresh) return true;
  Idiomorph.morph(bell(), fresh, { morphStyle: "outerHTML" });
  localiseTimes(bell());
  look();
  return true;
}

function look() {
  markSeen();
  if (!isOn()) return;
  const known = told();
  for (const entry of entries()) if (!known.includes(entry.dataset.bellEntry) && !document.hasFocus()) notify(entry);
  localStorage.setItem(TOLD, JSON.stringify(entries().map((entry) => entry.dataset.bellEntry)));
}

function notify({ dataset: { bellEntry: id } }) {
  const entry = () => one(`[data-bell-entry="${id}"]`);
  const text = (name) => one(`[data-bell-${name}]`, entry()).textContent;
  // The tag is the same in every tab, so that one notification is shown.
  new Notification(text("name"), { body: text("outcome"), tag: id }).addEventListener("click", () => {
    window.focus();
    entry()?.requestSubmit();
  });
}

// Whoever has the import's own page before them has seen how it ended.
function markSeen() {
  const here = one("main #details[data-import-id]")?.dataset.importId;
  const entry = here && entries().find(({ dataset }) => dataset.bellEntry === here);
  if (!entry || document.hidden || entry.dataset.isSent) return;
  entry.dataset.isSent = "true";
  fetch(entry.action, { method: "POST", body: new FormData(entry), redirect: "manual" }).then(refresh, () => {});
}

async function keepUp() {
  const isMoving = "bellMoving" in bell().dataset;
  await new Promise((resolve) => setTimeout(resolve, isMoving ? REST_WHILE_MOVING : REST_OTHERWISE));
  // Nothing can end, or nobody would see it.
  const isWorthIt = (isMoving && !document.hidden) || isOn();
  if (!isWorthIt || (await refresh().catch(() => true))) keepUp();
}

// The switch on the page of notifications: one sentence for each state, of which one is shown.
function showSwitch() {
  const state = globalThis.isSecureContext && "Notification" in globalThis ? (isOn() ? "on" : Notification.permission) : "missing";
  for (const part of all("[data-notify-state]")) part.hidden = !part.dataset.notifyState.split(" ").includes(state);
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-notify]");
  if (!button) return;
  if (button.dataset.notify === "off") localStorage.removeItem(TOLD);
  else if ((await Notification.requestPermission()) === "granted") localStorage.setItem(TOLD, "[]");
  look();
  showSwitch();
});

if (bell()) {
  showSwitch();
  look();
  keepUp();
}
