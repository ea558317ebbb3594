// Uploads the chosen or dropped files one after the other, and shows how far each has come.

import { all, one } from "./dom.js";
import { explainAnswer, sentenceOf, showToast } from "./messages.js";
import { describeSize, Meter } from "./meter.js";

const TRY_AGAIN = "Try again in a moment – the file will not be imported twice.";
const PATIENCE = 10_000;

const form = one("form[data-upload]");
const input = form.elements.file;
const buttons = [...all("button[type=submit]", form)];
const ways = one("[data-upload-ways]", form);
const list = one("[data-files]", form);
const said = one("[data-upload-said]", form);
const veil = one("[data-drop-veil]");
// Without a script only one could be sent.
input.multiple = true;

let items = [];
let isBusy = false;
// That of the button pressed last: it says whether files are checked or imported.
let address = form.action;
// In whose place the file comes that is being chosen; null: in that of all that are not done.
let replaced = null;

// crypto.randomUUID is kept from pages that come over plain HTTP.
function makeKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

// How the server says that the columns of a refused file can be matched: "offered", "saved" if that asks nothing,
// "encoded" if the file is read so as it is, and "possible" if it was meant to be imported as it is.
const MATCH_HEADER = "Sluice-Match";

// Why the server would refuse a file for certain, told from its beginning before the rest is sent; else nothing.
async function findRefusal(file) {
  try {
    const answer = await fetch(`${form.dataset.look}?size=${file.size}`, {
      method: "POST",
      body: await file.slice(0, form.dataset.lookBytes).arrayBuffer(),
      headers: { "X-CSRFToken": form.elements.csrf_token.value, "HX-Request": "true" },
      redirect: "manual",
    });
    const isSentence = answer.headers.get("Content-Type")?.startsWith("text/plain");
    if (![413, 422].includes(answer.status) || !isSentence) return null;
    return { sentence: await answer.text(), match: answer.headers.get(MATCH_HEADER) };
  } catch {
    // Sending will tell.
    return null;
  }
}

// A file on the disk can be read only as it was when it was chosen: one that was saved again, moved or deleted since
// has to be chosen again.
async function isReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

function makeItem(file) {
  const row = one("#upload-file").content.firstElementChild.cloneNode(true);
  const item = { file, row, key: makeKey(), state: "waiting", request: null, place: null, address: null };
  one("[data-file-name]", row).textContent = file.name;
  one("progress", row).setAttribute("aria-label", `Upload of ${file.name}`);
  for (const name of all("[data-file-named]", row)) name.textContent = ` ${file.name}`;
  one("[data-file-cancel]", row).addEventListener("click", () => {
    item.request?.abort();
    buttons[0].focus();
  });
  one("[data-file-remove]", row).addEventListener("click", () => {
    items = items.filter((other) => other !== item);
    row.remove();
    tellInput();
    (items.length ? buttons[0] : input).focus();
  });
  one("[data-file-again]", row).addEventListener("click", async () => {
    setState(item, "waiting", "Trying again…");
    if (!isBusy) await run({ renews: true });
  });
  one("[data-file-match]", row).addEventListener("click", () => match([item]));
  one("[data-file-choose]", row).addEventListener("click", () => {
    input.click();
    replaced = item;
  });
  setState(item, "waiting", `${describeSize(file.size)}, ready to upload`);
  list.append(row);
  findRefusal(file).then((refusal) => {
    // It may be on its way already, and the server then tells the same.
    if (!refusal || item.state !== "waiting") return;
    if (refusal.match === "saved") {
      match([item]);
      return;
    }
    refuse(item, refusal.sentence, refusal);
    tellInput();
    if (ways.hidden) one("[data-file-match]", row).focus();
  });
  return item;
}

// Nothing is imported there before its seller says so. Other files wait for a button of their own.
async function match(chosen) {
  for (const item of chosen) {
    item.address = form.dataset.match;
    setState(item, "waiting", "Uploading…");
  }
  if (!isBusy) await run({ only: chosen });
}

// The links to matching take along what is chosen.
for (const link of all("[data-match-chosen]")) {
  link.addEventListener("click", (event) => {
    const chosen = items.filter(isOpen);
    if (isBusy || !chosen.length) return;
    event.preventDefault();
    match(chosen);
  });
}

function setState(item, state, words, { place = null, placeWords = "Open", alert = "", help = false } = {}) {
  item.state = state;
  item.place = place;
  const { row } = item;
  row.dataset.state = state;
  one("[data-file-words]", row).textContent = words;
  one("progress", row).hidden = state !== "sending";
  one("[data-file-cancel]", row).hidden = state !== "sending";
  one("[data-file-remove]", row).hidden = ["sending", "done"].includes(state);
  one("[data-file-again]", row).hidden = !["broken", "cancelled"].includes(state);
  one("[data-file-choose]", row).hidden = !["refused", "changed"].includes(state);
  one("[data-file-match]", row).hidden = state !== "refused" || !item.match || isMatched(item);
  const link = one("[data-file-open]", row);
  link.hidden = !place;
  if (place) link.href = place;
  one("[data-file-open-words]", link).textContent = placeWords;
  const note = one("[data-file-alert]", row);
  note.replaceChildren();
  if (alert) {
    const kind = !isForeign(item) ? "alert" : item.match === "encoded" ? "encoded" : "foreign";
    const told = one(`#upload-${kind}`).content.cloneNode(true);
    // It may be broken behind each comma, as the names of columns are.
    const parts = alert.split(/(?<=,)/).flatMap((part) => [part, document.createElement("wbr")]);
    one("[data-alert-words]", told).append(...parts);
    if (state !== "refused") one("[data-alert-refused]", told).remove();
    one("[data-alert-help]", told).hidden = !help;
    note.append(told);
  }
  list.hidden = false;
}

// Whether it was sent to be matched, and not to be imported as it is.
const isMatched = (item) => item.address === form.dataset.match;

// Whether it is refused as it is, and its columns can be matched.
const isForeign = (item) =>
  item.state === "refused" && ["offered", "saved", "encoded"].includes(item.match) && !isMatched(item);

function refuse(item, sentence, { help = true, match = null } = {}) {
  item.match = match;
  setState(item, "refused", "Not imported.", { alert: sentence, help });
}

const isOpen = ({ state }) => !["done", "asked"].includes(state);

// The field holds what can still be sent, so that the browser itself asks for a file where there is none.
function tellInput() {
  const kept = new DataTransfer();
  for (const item of items) if (isOpen(item)) kept.items.add(item.file);
  input.files = kept.files;
  list.hidden = !items.length;
  // There is nothing to check or to import as it is.
  const open = items.filter(isOpen);
  ways.hidden = open.length > 0 && open.every(isForeign);
}

function drop(unwanted) {
  for (const item of items.filter(unwanted)) item.row.remove();
  items = items.filter((item) => !unwanted(item));
}

// A browser does not tell of a file that is chosen again while the field holds it, and goes on with the old one.
input.addEventListener("click", () => {
  input.value = "";
  replaced = null;
});
input.addEventListener("cancel", tellInput);
input.addEventListener("change", () => {
  const files = [...input.files];
  if (replaced) drop((item) => item === replaced);
  else if (!isBusy) drop((item) => item.state !== "done");
  replaced = null;
  items.push(...files.map(makeItem));
  tellInput();
  if (!isBusy) buttons[0].focus();
});

// How many elements the pointer has gone into and not left, with files in its hand.
let depth = 0;
const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
const setOver = (isOver) => (veil.hidden = !isOver);
function onDrag(name, act) {
  document.addEventListener(name, (event) => {
    if (!hasFiles(event)) return;
    // Otherwise the file would be opened in place of the page.
    event.preventDefault();
    act(event);
    setOver(depth > 0);
  });
}
onDrag("dragenter", () => (depth += 1));
onDrag("dragover", () => {});
onDrag("dragleave", () => (depth = Math.max(0, depth - 1)));
onDrag("drop", (event) => {
  depth = 0;
  if (!isBusy) drop((item) => !["waiting", "done"].includes(item.state));
  const entries = [...event.dataTransfer.items].map((dropped) => dropped.webkitGetAsEntry());
  const folders = entries.filter((entry) => entry?.isDirectory).map(({ name }) => name);
  // Their content is out of reach.
  for (const name of folders) showToast(`${name} is a folder. Drop the files inside it.`);
  items.push(...[...event.dataTransfer.files].filter(({ name }) => !folders.includes(name)).map(makeItem));
  tellInput();
  if (!isBusy) buttons[0].focus();
});

function setBusy(busy) {
  isBusy = busy;
  for (const button of buttons) button.disabled = busy;
}

// A page that was open while somebody was signed out and in again has an old token.
async function renewToken() {
  try {
    const answer = await fetch(form.action, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const token = one("form[data-upload] [name=csrf_token]", page);
    if (token) form.elements.csrf_token.value = token.value;
  } catch {
    // Sending will tell.
  }
}

async function run({ renews = false, only = null } = {}) {
  setBusy(true);
  try {
    if (renews) await renewToken();
    for (;;) {
      const item = items.find((one) => one.state === "waiting" && (!only || only.includes(one)));
      if (!item) break;
      const refusal = renews && !isMatched(item) && (await findRefusal(item.file));
      if (!(await isReadable(item.file)) || (renews && !item.file.size)) showChanged(item);
      else if (refusal) refuse(item, refusal.sentence, refusal);
      // It may have been removed in this moment.
      else if (items.includes(item)) await send(item);
      // Those after it would not get through either.
      if (item.state === "broken") break;
    }
  } finally {
    setBusy(false);
    tellInput();
  }
  const isAnswered = items.length === 1 && ["done", "asked"].includes(items[0].state);
  if (isAnswered) window.location.assign(items[0].place);
}

async function send(item) {
  const { file, row } = item;
  // A file that was added while others are on their way goes where they go.
  item.address ??= address;
  const progress = one("progress", row);
  const meter = new Meter(file.size);
  const request = (item.request = new XMLHttpRequest());
  let told = 0;
  const show = () => {
    if (item.state !== "sending") return;
    progress.value = meter.percent;
    one("[data-file-words]", row).textContent = meter.describe();
    // From here on it could be too late, and to promise anything would be wrong.
    one("[data-file-cancel]", row).hidden = meter.loaded === meter.total;
    if (meter.percent >= told + 25) {
      told = meter.percent - (meter.percent % 25);
      said.textContent = `${file.name}: ${told}%`;
    }
  };
  const clock = setInterval(show, 1000);
  // All fields before the file, which is read as it comes.
  const data = new FormData();
  data.append("csrf_token", form.elements.csrf_token.value);
  data.append("form_key", item.key);
  data.append("file", file, file.name);
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    // The form around the file is sent too.
    meter.add(Math.max(0, loaded - (total - file.size)));
    show();
  });
  request.open("POST", item.address);
  request.setRequestHeader("HX-Request", "true");
  request.setRequestHeader("Sluice-Upload", "1");
  setState(item, "sending", "Uploading…");
  progress.value = 0;
  const end = await new Promise((resolve) => {
    for (const name of ["load", "error", "abort"]) request.addEventListener(name, () => resolve(name));
    request.send(data);
  });
  clearInterval(clock);
  item.request = null;
  if (end === "load") showAnswer(item, request);
  else if (end === "abort") setState(item, "cancelled", "Cancelled. Nothing was imported.");
  else if (file.size && (await isReadable(file))) showBreak(item, meter);
  else showChanged(item);
  said.textContent = `${file.name}: ${one("[data-file-words]", row).textContent}`;
}

function showChanged(item) {
  // Of an empty file nothing can be read that would tell whether it still is.
  const what = item.file.size ? "has changed or moved since you chose it" : "was empty when you chose it";
  const words = `${item.file.name} ${what}. Choose it again.`;
  setState(item, "changed", "Not uploaded.", { alert: words });
}

function showBreak(item, { loaded, total }) {
  // The last bytes may have gone without the browser having said so.
  const when = loaded < total ? `after ${describeSize(loaded)} of ${describeSize(total)}` : "before the answer came";
  setState(item, "broken", "Interrupted.", { alert: `The connection dropped ${when}. ${TRY_AGAIN}` });
}

function showAnswer(item, request) {
  const place = request.getResponseHeader("Location");
  const sentence = sentenceOf(request);
  const isCheck = item.address !== form.action;
  if (request.status === 201 && isMatched(item)) {
    setState(item, "done", "Uploaded. Nothing is imported yet.", { place, placeWords: "Match its columns" });
  } else if (request.status === 201) {
    setState(item, "done", isCheck ? "Uploaded. Check started." : "Uploaded. Import started.", {
      place,
      placeWords: isCheck ? "Open the check" : "Open the import",
    });
  } else if (request.status === 409 && place) {
    setState(item, "asked", "Already imported – waiting for you.", { place, placeWords: "Choose what to do" });
  } else if (request.status === 401) {
    const login = one("[data-connection-sign-in]").href.split("?")[0];
    setState(item, "broken", "Not uploaded.", {
      alert: "You have been signed out. Sign in in another tab, then come back and try again.",
      place: `${login}?next=${encodeURIComponent(window.location.pathname)}`,
      placeWords: "Sign in",
    });
    one("[data-file-open]", item.row).target = "_blank";
  } else if ([413, 422].includes(request.status)) {
    refuse(item, explainAnswer(request), { help: Boolean(sentence), match: request.getResponseHeader(MATCH_HEADER) });
    one("[data-file-alert]", item.row).scrollIntoView({ block: "nearest" });
  } else {
    setState(item, "broken", "Not uploaded.", { alert: sentence || `${explainAnswer(request)} ${TRY_AGAIN}` });
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (isBusy) return;
  address = event.submitter?.formAction ?? form.action;
  // What has not got through is sent again with what waits; what was refused only where there is nothing else.
  const open = items.filter(isOpen);
  const untold = open.filter(({ state }) => ["waiting", "broken", "cancelled"].includes(state));
  const again = (untold.length ? untold : open).filter(({ state }) => state !== "waiting");
  for (const item of again) setState(item, "waiting", "Trying again…");
  for (const item of open) item.address = address;
  run({ renews: again.length > 0 });
});
window.addEventListener("beforeunload", (event) => {
  if (items.some((item) => item.request)) event.preventDefault();
});
// Coming back with the Back button must find a form that can be used.
window.addEventListener("pageshow", () => {
  if (items.some((item) => item.request)) return;
  setBusy(false);
  drop((item) => item.state !== "waiting");
  if (!items.length) items.push(...[...input.files].map(makeItem));
  tellInput();
});
