// What the pages can do beyond plain links and forms. Every page works without any of it.
//
// Behaviour is attached through data- attributes and, where elements come and go, through listeners on the document.
(function () {
  "use strict";

  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => within.querySelectorAll(selector);

  // --- Times: in the reader's own zone ------------------------------------------------------------------------------

  const language = document.documentElement.lang;
  const format = (options) => new Intl.DateTimeFormat(language, options).format;
  const clock = { hour: "2-digit", minute: "2-digit" };
  const sayTime = format(clock);
  const saySeconds = format({ ...clock, second: "2-digit" });
  const sayDay = format({ day: "numeric", month: "short" });
  const sayYear = format({ day: "numeric", month: "short", year: "numeric" });
  const sayExactly = format({ dateStyle: "full", timeStyle: "long" });

  // As people say it: today and yesterday by their names, the year only where it is another one.
  function sayMinutes(moment) {
    const now = new Date();
    const midnight = (day) => new Date(day.getFullYear(), day.getMonth(), day.getDate());
    // Rounded, because a day has 23 or 25 hours when the clocks change.
    const daysAgo = Math.round((midnight(now) - midnight(moment)) / 864e5);
    const isThisYear = moment.getFullYear() === now.getFullYear();
    const day = ["today", "yesterday"][daysAgo] ?? (isThisYear ? sayDay : sayYear)(moment);
    return `${day}, ${sayTime(moment)}`;
  }

  const sayings = { minutes: sayMinutes, seconds: saySeconds };

  function localiseTimes(within) {
    for (const time of all("time[data-local]", within)) {
      const moment = new Date(time.dateTime);
      time.textContent = sayings[time.dataset.local](moment);
      time.title = sayExactly(moment);
    }
  }

  document.addEventListener("visibilitychange", () => {
    // A page that has lain about since yesterday.
    if (!document.hidden) localiseTimes(document);
  });

  // --- Messages -----------------------------------------------------------------------------------------------------

  function showToast(text) {
    const note = one("#toast").content.firstElementChild.cloneNode(true);
    one("[data-note-text]", note).textContent = text;
    one("#toasts").append(note);
  }

  document.addEventListener("click", (event) => {
    event.target.closest("[data-note-close]")?.closest(".note").remove();
  });
  // The style sheet fades a toast out after a while, unless the pointer rests on it.
  document.addEventListener("animationend", (event) => {
    if (event.animationName === "toast-out") event.target.remove();
  });

  // --- Answers that are not Sluice's own ----------------------------------------------------------------------------

  // Sluice answers a script with a sentence. Anything else comes from what stands in front of it, in words that are not
  // for sellers; 0 is no answer at all.
  function explainAnswer(request) {
    if (request.getResponseHeader("Content-Type")?.startsWith("text/plain")) return request.responseText;
    const { status } = request;
    if (!status) return "The connection broke.";
    if (status === 408) return "What was sent came too slowly.";
    if (status === 413) return "The server in front of Sluice refuses files of this size. Tell its operator, or split the file.";
    if ([502, 503, 504].includes(status)) return `Sluice does not answer the server in front of it (error ${status}).`;
    return `Something in front of Sluice has answered in its place (status ${status}).`;
  }

  // --- Live parts ---------------------------------------------------------------------------------------------------

  // Each live part is fetched again from its own address and morphed into what it has become: what has the focus, is
  // selected, open or scrolled to stays so. It is looked at every few seconds while its data-live-seconds says so, more
  // rarely while the server is slow or does not answer, and not at all while nobody can see the page.

  const LONGEST_REST = 30_000;
  const LONGEST_LOOK = 10_000;
  // A server that takes long to answer has a rest for so many times as long.
  const RESTS_FOR_LOOK = 4;

  // For each live part: the timer of its next look, the look that is under way, how many have failed in a row, since
  // when it is not up to date, and whether looking is of use at all.
  const looks = new WeakMap();
  // Goes up with each press of a button: what was asked before that is not shown any more.
  let epoch = 0;
  // Imports that were told to stop and have not answered yet, by their ids.
  const stopping = new Set();

  // The import whose button was pressed last. The button may be gone afterwards; the focus then goes to its import and is
  // not lost at the top of the page.
  let pressedIn = null;

  function lookOf(part) {
    if (!looks.has(part)) looks.set(part, { timer: 0, request: null, failures: 0, goodAt: new Date(), trouble: null });
    return looks.get(part);
  }

  function schedule(part, rest) {
    const state = lookOf(part);
    clearTimeout(state.timer);
    state.timer = setTimeout(() => look(part), rest);
  }

  function watchLiveParts() {
    for (const part of all("[data-live-seconds]")) {
      const state = lookOf(part);
      if (!state.timer && !state.request && !document.hidden) schedule(part, part.dataset.liveSeconds * 1000);
    }
  }

  async function look(part) {
    const state = lookOf(part);
    clearTimeout(state.timer);
    state.timer = 0;
    state.request?.abort();
    state.request = null;
    // It is looked at again when the page is shown.
    if (!part.isConnected || document.hidden) return;
    const request = (state.request = new AbortController());
    const patience = setTimeout(() => request.abort(), LONGEST_LOOK);
    const askedIn = epoch;
    const began = performance.now();
    let failure = null;
    try {
      const answer = await fetch(part.dataset.live, {
        headers: { "HX-Request": "true", "HX-Current-URL": window.location.href, "Sluice-Look": "1" },
        cache: "no-store",
        redirect: "manual",
        signal: request.signal,
      });
      if (!answer.ok) throw Object.assign(new Error(), { answer });
      const content = document.createElement("template");
      content.innerHTML = await answer.text();
      const fresh = one("[data-live]", content.content);
      // Something on the way has answered in place of Sluice.
      if (!fresh) throw new Error();
      if (state.request === request && askedIn === epoch && part.isConnected) {
        Idiomorph.morph(part, fresh, { morphStyle: "outerHTML" });
        htmx.process(part);
        showPart(part);
      }
    } catch (error) {
      failure = error;
    }
    clearTimeout(patience);
    // Another look has begun in the meantime, and goes on from here.
    if (state.request !== request) return;
    state.request = null;
    const seconds = Number(part.dataset.liveSeconds) || 1;
    if (!failure) {
      Object.assign(state, { failures: 0, trouble: null, goodAt: new Date() });
      showConnection();
      const rest = Math.max(seconds * 1000, (performance.now() - began) * RESTS_FOR_LOOK);
      if (part.dataset.liveSeconds && part.isConnected) schedule(part, Math.min(rest, LONGEST_REST));
      return;
    }
    const { answer } = failure;
    const isSignedOut = answer && (answer.status === 401 || answer.type === "opaqueredirect");
    state.trouble = isSignedOut ? "signed-out" : answer?.status === 404 ? "gone" : "away";
    showConnection();
    // These do not get better by asking again.
    if (state.trouble !== "away") return;
    state.failures += 1;
    const asked = Number(answer?.headers.get("Retry-After")) * 1000 || 0;
    const rest = Math.min(seconds * 1000 * 2 ** state.failures, LONGEST_REST);
    // Not all pages at the same moment, when a server comes back.
    schedule(part, Math.max(rest, asked) * (0.9 + Math.random() / 5));
    one("[data-connection-note]").dataset.failures = state.failures;
  }

  function lookAtAll(except) {
    for (const part of all("[data-live]")) if (part !== except) look(part);
  }

  // What is done for a part whenever it has become another.
  function showPart(part) {
    localiseTimes(part);
    followQuestion();
    showStopping();
    if (!part.matches("[data-live]")) return;
    if (part.dataset.title && part.closest("main")) document.title = `${part.dataset.title} – Sluice`;
    announce(part);
  }

  // From the press of the button until the answer, for which the rows in hand are waited for.
  function showStopping() {
    for (const id of stopping) {
      for (const element of all(`[data-import-id="${CSS.escape(id)}"]`)) {
        const pill = one(".pill", element);
        if (pill) pill.textContent = "Stopping…";
        for (const button of all("[data-action] button, [data-confirm-terminate] button", element)) button.disabled = true;
      }
    }
  }

  // One note for all parts of the page: the worst that there is to say.
  function showConnection() {
    const note = one("[data-connection-note]");
    const states = [...all("[data-live]")].map(lookOf).filter((state) => state.trouble);
    note.hidden = !states.length;
    if (!states.length) return;
    const since = saySeconds(Math.min(...states.map((state) => state.goodAt)));
    const isSignedOut = states.some((state) => state.trouble === "signed-out");
    const isGone = states.some((state) => state.trouble === "gone");
    let words = `Not up to date since ${since} – trying again.`;
    if (isGone) words = "This import is not there any more.";
    if (isSignedOut) words = `You are signed out. What you see is that of ${since}.`;
    const said = one("[data-connection-words]", note);
    // Said once, however often it is tried.
    if (said.textContent !== words) said.textContent = words;
    const link = one("[data-connection-sign-in]", note);
    link.hidden = !isSignedOut;
    link.search = new URLSearchParams({ next: window.location.pathname + window.location.search });
    one("[data-connection-retry]", note).hidden = isSignedOut || isGone;
  }

  // --- Said to those who listen -------------------------------------------------------------------------------------

  // Progress now and then, a new state as soon as one may speak again.
  const REST_BETWEEN_NEWS = 10_000;
  const REST_BEFORE_STATE = 3_000;
  const news = { region: null, spokeAt: -Infinity, said: null, status: null, timer: 0 };

  function announce(part) {
    const { news: words, status } = part.dataset;
    if (!words) return;
    if (!news.region) {
      news.region = document.createElement("p");
      news.region.className = "visually-hidden";
      news.region.setAttribute("role", "status");
      news.region.dataset.announcer = "";
      one("#notices").append(news.region);
      // What stood on the page at first has been read with it.
      Object.assign(news, { said: words, status });
    }
    clearTimeout(news.timer);
    if (words === news.said) return;
    const rest = status === news.status ? REST_BETWEEN_NEWS : REST_BEFORE_STATE;
    const speak = () => {
      news.region.textContent = words;
      Object.assign(news, { said: words, status, spokeAt: performance.now() });
    };
    news.timer = setTimeout(speak, Math.max(0, news.spokeAt + rest - performance.now()));
  }

  // --- Live parts, continued ----------------------------------------------------------------------------------------

  function isSelected(node, part) {
    const selection = document.getSelection();
    if (!selection || selection.isCollapsed || !selection.containsNode(node, true)) return false;
    // Somebody who selects the whole page does not want it to stand still.
    return !part || !selection.containsNode(part);
  }

  function startLiveParts() {
    // The extension that comes with Idiomorph takes every swap for a morph when htmx asks it where an out-of-band part
    // goes, so that "beforeend" would insert the wrapper of the toasts, and its id once more with each press.
    const MORPH = "morph:outerHTML";
    htmx.defineExtension("morph", {
      isInlineSwap: (style) => style === MORPH,
      handleSwap: (style, target, content) => style === MORPH && Idiomorph.morph(target, content.children, { morphStyle: "outerHTML" }),
    });

    Object.assign(Idiomorph.defaults.callbacks, {
      // The text of a time is ours; without this every refresh would put UTC back and redraw it. And a word that somebody
      // is about to copy stays as it is.
      beforeNodeMorphed(before, after) {
        if (before instanceof HTMLTimeElement && after instanceof HTMLTimeElement) return before.dateTime !== after.dateTime;
        return !(before instanceof Text && isSelected(before, before.parentElement?.closest("[data-live]")));
      },
      // What people have opened stays open.
      beforeAttributeUpdated: (name, element) => !(name === "open" && element instanceof HTMLDetailsElement),
    });

    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) lookAtAll();
    });
    window.addEventListener("online", () => lookAtAll());
    one("[data-connection-retry]").addEventListener("click", () => lookAtAll());

    const isPost = (event) => event.detail.requestConfig.verb === "post";
    const stopped = (event) => /\/imports\/([0-9a-f-]+)\/terminate$/.exec(event.detail.requestConfig.path)?.[1];

    document.addEventListener("htmx:beforeRequest", (event) => {
      const { elt } = event.detail;
      if (elt.matches("[data-action]")) pressedIn = elt.closest("[data-import-id]");
      if (isPost(event) && stopped(event)) {
        stopping.add(stopped(event));
        showStopping();
      }
    });
    document.addEventListener("htmx:afterRequest", (event) => {
      if (!isPost(event)) return;
      const { successful, xhr } = event.detail;
      stopping.delete(stopped(event));
      epoch += 1;
      if (!successful) {
        const isOwn = xhr.getResponseHeader("Content-Type")?.startsWith("text/plain");
        showToast(isOwn ? xhr.responseText : `${explainAnswer(xhr)} Look at the state of the import, then try again.`);
      }
      // The button was on one live part, but others show the same import: the panel and the list behind it.
      lookAtAll(successful ? event.detail.target : null);
    });
    document.addEventListener("htmx:afterSwap", (event) => {
      showPart(event.target);
      watchLiveParts();
    });
    document.addEventListener("htmx:afterSettle", () => {
      if (!pressedIn?.isConnected) return;
      if (document.activeElement === document.body) pressedIn.focus({ preventScroll: true });
      pressedIn = null;
    });
    for (const part of all("[data-live]")) showPart(part);
    watchLiveParts();
  }

  // --- The panel beside My Imports ----------------------------------------------------------------------------------

  // A dialog of the browser's own: what is behind it is out of reach, and Escape closes it. The address says which import
  // it shows, so it can be linked to, and Back closes it.
  function startPanel() {
    const panel = one("#panel");
    if (!panel) return;
    const body = one("#panel-body");
    const notices = one("#notices");
    let shown = null;

    const asked = () => new URL(location).searchParams.get("panel");

    function addressOf(id) {
      const address = new URL(location);
      if (id) address.searchParams.set("panel", id);
      else address.searchParams.delete("panel");
      return address;
    }

    const fill = (template) => body.replaceChildren(one(template).content.cloneNode(true));
    const pageOf = (id) => `${panel.dataset.imports}/${encodeURIComponent(id)}/panel`;

    function show(id) {
      shown = id;
      fill("#panel-loading");
      if (!panel.open) panel.showModal();
      panel.append(notices);
      htmx.ajax("GET", pageOf(id), { source: body, target: body, swap: "innerHTML" });
    }

    function follow() {
      const id = asked();
      if (id && id !== shown) show(id);
      else if (!id) panel.close();
    }

    document.addEventListener("click", (event) => {
      const link = event.target.closest("[data-panel-link]");
      // With a modifier key people ask for a new tab or a download, and get it.
      if (!link || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
      event.preventDefault();
      history.pushState({ isPanel: true }, "", addressOf(link.dataset.panelLink));
      follow();
    });
    window.addEventListener("popstate", follow);
    document.addEventListener("htmx:beforeSwap", (event) => {
      // It was closed, or shows another import, before the answer came.
      const { target, pathInfo } = event.detail;
      if (target === body && !(shown && pathInfo.requestPath === pageOf(shown))) event.detail.shouldSwap = false;
    });
    document.addEventListener("htmx:afterRequest", (event) => {
      if (event.detail.target === body && !event.detail.successful && shown) {
        fill("#panel-failed");
        one("[data-panel-fallback]", body).href = pageOf(shown);
      }
    });

    one("[data-panel-close]", panel).addEventListener("click", () => panel.close());
    // A click on the dimmed page beside it; one below its content has the same target.
    panel.addEventListener("click", (event) => {
      if (event.target === panel && event.clientX < panel.getBoundingClientRect().left) panel.close();
    });
    panel.addEventListener("close", () => {
      const link = document.getElementById(`view-${shown}`);
      shown = null;
      // An empty panel polls no more.
      body.replaceChildren();
      document.body.append(notices);
      (link ?? one("#content")).focus();
      if (!asked()) return;
      // Opened from the list, it is one step back in the history; opened by its address, there is no such step.
      if (history.state?.isPanel) history.back();
      else history.replaceState(null, "", addressOf(null));
    });
    follow();
  }

  // --- Terminate asks first -----------------------------------------------------------------------------------------

  let asking = null;

  function askedForm() {
    return asking && one(`form[data-confirm-terminate][action="${CSS.escape(asking.url)}"]`);
  }

  function followQuestion() {
    const dialog = one("#confirm");
    if (!dialog?.open) return;
    const form = askedForm();
    // The import ended while people were thinking about it.
    if (!form) dialog.close();
    else one("[data-confirm-question]", dialog).textContent = form.dataset.question;
  }

  function startConfirmations() {
    const dialog = one("#confirm");
    if (!dialog) return;

    document.addEventListener("submit", (event) => {
      const form = event.target.closest("form[data-confirm-terminate]");
      if (!form) return;
      event.preventDefault();
      asking = {
        url: form.getAttribute("action"),
        next: form.elements.next.value,
        part: form.closest("[data-live]"),
        within: form.closest("[data-import-id]"),
      };
      one("[data-confirm-file]", dialog).textContent = form.dataset.file;
      for (const noun of all("[data-confirm-noun]", dialog)) noun.textContent = form.dataset.noun;
      for (const words of all("[data-confirm-consequence]", dialog)) {
        words.hidden = words.dataset.confirmConsequence !== form.dataset.noun;
      }
      one("[data-confirm-question]", dialog).textContent = form.dataset.question;
      dialog.showModal();
    });
    one("[data-confirm-cancel]", dialog).addEventListener("click", () => dialog.close());
    one("[data-confirm-go]", dialog).addEventListener("click", () => {
      dialog.close();
      pressedIn = asking.within;
      htmx.ajax("POST", asking.url, {
        target: asking.part,
        swap: "morph:outerHTML",
        values: { csrf_token: dialog.dataset.csrfToken, next: asking.next },
      });
    });
    // A click on the dimmed page closes the dialog, as does Escape.
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
  }

  // --- Uploading ----------------------------------------------------------------------------------------------------

  function describeSize(bytes) {
    if (bytes < 1e3) return `${bytes} bytes`;
    if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} kB`;
    return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
  }

  function describeRest(seconds) {
    if (seconds <= 10) return "a few seconds";
    if (seconds < 55) return `about ${Math.max(1, Math.round(seconds / 10)) * 10} seconds`;
    if (seconds < 90) return "about a minute";
    if (seconds < 3300) return `about ${Math.round(seconds / 60)} minutes`;
    return seconds < 5400 ? "about an hour" : `about ${Math.round(seconds / 3600)} hours`;
  }

  // crypto.randomUUID is kept from pages that come over plain HTTP.
  function makeKey() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  }

  // Why the server would refuse a file for certain, told from its beginning before the rest is sent; else nothing.
  async function findRefusal(file, form) {
    try {
      const answer = await fetch(`${form.dataset.look}?size=${file.size}`, {
        method: "POST",
        body: await file.slice(0, form.dataset.lookBytes).arrayBuffer(),
        headers: { "X-CSRFToken": form.elements.csrf_token.value, "HX-Request": "true" },
        redirect: "manual",
      });
      const isSentence = answer.headers.get("Content-Type")?.startsWith("text/plain");
      return [413, 422].includes(answer.status) && isSentence ? await answer.text() : "";
    } catch {
      // Sending will tell.
      return "";
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

  const SPEED_SECONDS = 5;
  const STALLED_SECONDS = 5;

  // The bytes that have gone, and how fast they go.
  class Meter {
    constructor(total) {
      Object.assign(this, { total, loaded: 0, samples: [], movedAt: performance.now() });
      this.add(0);
    }

    add(loaded) {
      const now = performance.now();
      if (loaded > this.loaded) this.movedAt = now;
      this.loaded = Math.min(loaded, this.total);
      this.samples.push([now, this.loaded]);
      while (this.samples.length > 2 && now - this.samples[0][0] > SPEED_SECONDS * 1000) this.samples.shift();
    }

    get percent() {
      return this.total ? Math.floor((this.loaded / this.total) * 100) : 100;
    }

    describe() {
      if (this.loaded === this.total) return "All of it has arrived; the last rows are being checked…";
      const words = [`Uploading… ${this.percent}%`, `${describeSize(this.loaded)} of ${describeSize(this.total)}`];
      const quiet = (performance.now() - this.movedAt) / 1000;
      const seconds = (performance.now() - this.samples[0][0]) / 1000;
      const speed = (this.loaded - this.samples[0][1]) / seconds;
      if (quiet >= STALLED_SECONDS) words.push(`nothing has gone through for ${Math.floor(quiet)} s`);
      else if (seconds >= 1 && speed > 0) {
        words.push(`${describeSize(Math.round(speed))}/s`, `${describeRest((this.total - this.loaded) / speed)} left`);
      }
      return words.join(" · ");
    }
  }

  const TRY_AGAIN = "Try again in a moment: if the file has arrived, it is not imported twice.";

  function startUpload(form) {
    const input = form.elements.file;
    const button = one("button[type=submit]", form);
    const list = one("[data-files]", form);
    const said = one("[data-upload-said]", form);
    const veil = one("[data-drop-veil]");
    // Without a script only one could be sent.
    input.multiple = true;

    let items = [];
    let isBusy = false;
    // In whose place the file comes that is being chosen; null: in that of all that are not done.
    let replaced = null;

    // The list of files ---------------------------------------------------------------------------------------------

    function makeItem(file) {
      const row = one("#upload-file").content.firstElementChild.cloneNode(true);
      const item = { file, row, key: makeKey(), state: "waiting", request: null, place: null };
      one("[data-file-name]", row).textContent = file.name;
      one("progress", row).setAttribute("aria-label", `Upload of ${file.name}`);
      for (const name of all("[data-file-named]", row)) name.textContent = ` ${file.name}`;
      one("[data-file-cancel]", row).addEventListener("click", () => {
        item.request?.abort();
        button.focus();
      });
      one("[data-file-remove]", row).addEventListener("click", () => {
        items = items.filter((other) => other !== item);
        row.remove();
        tellInput();
        (items.length ? button : input).focus();
      });
      one("[data-file-again]", row).addEventListener("click", async () => {
        setState(item, "waiting", "Trying again…");
        if (!isBusy) await run({ renews: true });
      });
      one("[data-file-choose]", row).addEventListener("click", () => {
        input.click();
        replaced = item;
      });
      setState(item, "waiting", `${describeSize(file.size)}, ready to upload`);
      list.append(row);
      findRefusal(file, form).then((refusal) => {
        // It may be on its way already, and the server then tells the same.
        if (!refusal || item.state !== "waiting") return;
        refuse(item, refusal);
        tellInput();
      });
      return item;
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
      const link = one("[data-file-open]", row);
      link.hidden = !place;
      if (place) link.href = place;
      one("[data-file-open-words]", link).textContent = placeWords;
      const note = one("[data-file-alert]", row);
      note.replaceChildren();
      if (alert) {
        const told = one("#upload-alert").content.cloneNode(true);
        one("[data-alert-words]", told).textContent = alert;
        if (state !== "refused") one("[data-alert-refused]", told).remove();
        one("[data-alert-help]", told).hidden = !help;
        note.append(told);
      }
      list.hidden = false;
    }

    function refuse(item, sentence, { help = true } = {}) {
      setState(item, "refused", "Not imported.", { alert: sentence, help });
    }

    const isOpen = ({ state }) => !["done", "asked"].includes(state);

    // The field holds what can still be sent, so that the browser itself asks for a file where there is none.
    function tellInput() {
      const kept = new DataTransfer();
      for (const item of items) if (isOpen(item)) kept.items.add(item.file);
      input.files = kept.files;
      list.hidden = !items.length;
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
      if (!isBusy) button.focus();
    });

    // Dropping ------------------------------------------------------------------------------------------------------

    // How many elements the pointer has gone into and not left, with files in its hand.
    let depth = 0;
    const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
    const setOver = (isOver) => (veil.hidden = !isOver);
    function onDrag(name, act) {
      document.addEventListener(name, (event) => {
        // The form was replaced, and another one listens.
        if (!form.isConnected || !hasFiles(event)) return;
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
      for (const name of folders) showToast(`${name} is a folder. Drop the files that are in it.`);
      items.push(...[...event.dataTransfer.files].filter(({ name }) => !folders.includes(name)).map(makeItem));
      tellInput();
      if (!isBusy) button.focus();
    });

    // Sending -------------------------------------------------------------------------------------------------------

    function setBusy(busy) {
      isBusy = busy;
      button.disabled = busy;
    }

    // A page that was open while somebody was signed out and in again has an old token.
    async function renewToken() {
      try {
        const answer = await fetch(form.action, { cache: "no-store", signal: AbortSignal.timeout(LONGEST_LOOK) });
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const token = one("form[data-upload] [name=csrf_token]", page);
        if (token) form.elements.csrf_token.value = token.value;
      } catch {
        // Sending will tell.
      }
    }

    async function run({ renews = false } = {}) {
      setBusy(true);
      try {
        if (renews) await renewToken();
        for (;;) {
          const item = items.find(({ state }) => state === "waiting");
          if (!item) break;
          const refusal = renews && (await findRefusal(item.file, form));
          if (!(await isReadable(item.file)) || (renews && !item.file.size)) showChanged(item);
          else if (refusal) refuse(item, refusal);
          // It may have been removed in this moment.
          else if (items.includes(item)) await send(item, items.length === 1);
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

    async function send(item, isAlone) {
      const { file, row } = item;
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
      if (form.elements.check.checked) data.append("check", "1");
      data.append("file", file, file.name);
      request.upload.addEventListener("progress", ({ loaded, total }) => {
        // The form around the file is sent too.
        meter.add(Math.max(0, loaded - (total - file.size)));
        show();
      });
      request.open("POST", form.action);
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
      if (end === "load") showAnswer(item, request, isAlone);
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
      setState(item, "broken", "Interrupted.", { alert: `The connection broke ${when}. ${TRY_AGAIN}` });
    }

    function showAnswer(item, request, isAlone) {
      const place = request.getResponseHeader("Location");
      const isSentence = request.getResponseHeader("Content-Type")?.startsWith("text/plain");
      const sentence = isSentence ? request.responseText : "";
      const isCheck = form.elements.check.checked;
      if (request.status === 201) {
        setState(item, "done", isCheck ? "Uploaded, and being checked." : "Uploaded, and being imported.", {
          place,
          placeWords: isCheck ? "Open the check" : "Open the import",
        });
      } else if (request.status === 409 && place) {
        setState(item, "asked", isAlone ? "" : "Nothing has been started.", { place, placeWords: "Decide", alert: sentence });
      } else if (request.status === 401) {
        const login = one("[data-connection-sign-in]").href.split("?")[0];
        setState(item, "broken", "Not uploaded.", {
          alert: "You are signed out. Sign in on another tab, come back here and try again.",
          place: `${login}?next=${encodeURIComponent(window.location.pathname)}`,
          placeWords: "Sign in",
        });
        one("[data-file-open]", item.row).target = "_blank";
      } else if ([413, 422].includes(request.status)) {
        refuse(item, explainAnswer(request), { help: Boolean(sentence) });
        one("[data-file-alert]", item.row).scrollIntoView({ block: "nearest" });
      } else {
        setState(item, "broken", "Not uploaded.", { alert: sentence || `${explainAnswer(request)} ${TRY_AGAIN}` });
      }
    }

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (isBusy) return;
      // What has not got through is sent again with what waits; what was refused only where there is nothing else.
      const open = items.filter(isOpen);
      const untold = open.filter(({ state }) => ["waiting", "broken", "cancelled"].includes(state));
      const again = (untold.length ? untold : open).filter(({ state }) => state !== "waiting");
      for (const item of again) setState(item, "waiting", "Trying again…");
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
  }

  // --- Searching on -------------------------------------------------------------------------------------------------

  // A search that was broken off before it found anything goes on by itself, a page at a time, until it has something to
  // show or comes to the end. Only what was found is replaced: the form may be in use.
  async function searchOn() {
    const link = one("[data-search-on]");
    if (!link) return;
    link.textContent = "Searching on…";
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
      link.textContent = "Search on";
    }
  }

  // --- Copying ------------------------------------------------------------------------------------------------------

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = document.getElementById(button.dataset.copy);
    const words = one("[data-copy-words]", button);
    try {
      await navigator.clipboard.writeText(text.textContent);
      words.textContent = "Copied";
    } catch {
      // Browsers keep the clipboard from pages that come over plain HTTP: the text is selected, ready for Ctrl+C.
      window.getSelection().selectAllChildren(text);
      words.textContent = "Selected: press Ctrl+C";
    }
    setTimeout(() => (words.textContent = "Copy"), 4000);
  });

  // --- Passwords ----------------------------------------------------------------------------------------------------

  // There is no way back for somebody who has mistyped a new one, so they can look at it.
  document.addEventListener("change", (event) => {
    const box = event.target.closest("[data-show-passwords]");
    if (!box) return;
    for (const name of ["current_password", "new_password"]) {
      box.form.elements[name].type = box.checked ? "text" : "password";
    }
  });

  // --- Start --------------------------------------------------------------------------------------------------------

  function startContent() {
    localiseTimes(document);
    for (const form of all("form[data-upload]")) startUpload(form);
    searchOn();
  }

  startContent();
  // The pages without navigation, such as the one for signing in, have none of this.
  if (window.htmx) {
    startLiveParts();
    startPanel();
    startConfirmations();
  }
})();
