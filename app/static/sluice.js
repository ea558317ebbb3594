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

  // --- Live parts ---------------------------------------------------------------------------------------------------

  // The import whose button was pressed last. The button may be gone afterwards; the focus then goes to its import and is
  // not lost at the top of the page.
  let pressedIn = null;

  function refreshLiveParts(except) {
    for (const part of all("[data-live]")) {
      if (part !== except) {
        htmx.ajax("GET", part.dataset.live, { source: part, target: part, swap: "morph:outerHTML" });
      }
    }
  }

  // The tab tells the state too: it may be all of the page that is seen.
  function followTitle() {
    const title = one("[data-live][data-title]")?.dataset.title;
    if (title) document.title = `${title} – Sluice`;
  }

  function startLiveParts() {
    // The text of a time is ours; without this every refresh would put UTC back and redraw it.
    Idiomorph.defaults.callbacks.beforeNodeMorphed = (before, after) =>
      !(before instanceof HTMLTimeElement && after instanceof HTMLTimeElement && before.dateTime === after.dateTime);

    const connectionNote = one("[data-connection-note]");
    const isPoll = (event) => event.detail.requestConfig.verb === "get" && event.detail.elt.matches("[data-live]");

    document.addEventListener("htmx:beforeRequest", (event) => {
      // Nobody looks at a hidden page; it is refreshed when it is shown again.
      if (document.hidden && isPoll(event)) event.preventDefault();
    });
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) refreshLiveParts();
    });

    document.addEventListener("htmx:afterRequest", (event) => {
      const { successful, xhr, requestConfig } = event.detail;
      if (successful) {
        connectionNote.hidden = true;
      } else if (isPoll(event)) {
        // What is on the page stays, and the polling goes on. A 401 is on its way to the sign-in page.
        connectionNote.hidden = xhr.status === 401 || xhr.status === 404;
      } else if (requestConfig.verb === "post") {
        const isSentence = xhr.getResponseHeader("Content-Type")?.startsWith("text/plain");
        showToast(isSentence ? xhr.responseText : "Sluice does not answer. Look at the state of the import, then try again.");
      }
      if (requestConfig.verb === "post") {
        // The button was on one live part, but others show the same import: the panel and the list behind it.
        refreshLiveParts(successful ? event.detail.target : null);
      }
    });

    document.addEventListener("htmx:afterSwap", (event) => {
      localiseTimes(event.target);
      followTitle();
      followQuestion();
    });

    document.addEventListener("htmx:beforeRequest", (event) => {
      if (event.detail.elt.matches("[data-action]")) pressedIn = event.detail.elt.closest("[data-import-id]");
    });
    document.addEventListener("htmx:afterSettle", () => {
      if (!pressedIn?.isConnected) return;
      if (document.activeElement === document.body) pressedIn.focus({ preventScroll: true });
      pressedIn = null;
    });
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

  function startUpload(form) {
    const zone = one("[data-drop-zone]", form);
    const input = form.elements.file;
    const button = one("button[type=submit]", form);
    const chosen = one("[data-chosen]", form);
    const progress = one("[data-upload-progress]", form);
    const words = one("[data-upload-words]", form);
    const meter = one("progress", form);

    function describeChoice() {
      const file = input.files[0];
      chosen.hidden = !file;
      chosen.textContent = file ? `${describeSize(file.size)}, ready to upload` : "";
    }
    input.addEventListener("change", describeChoice);

    // Dropped beside the zone, a file would replace the page.
    for (const name of ["dragover", "drop"]) {
      document.addEventListener(name, (event) => event.preventDefault());
    }
    for (const name of ["dragenter", "dragover"]) {
      zone.addEventListener(name, () => zone.classList.add("is-over"));
    }
    for (const name of ["dragleave", "drop"]) {
      zone.addEventListener(name, () => zone.classList.remove("is-over"));
    }
    zone.addEventListener("drop", (event) => {
      if (!event.dataTransfer.files.length || button.disabled) return;
      input.files = event.dataTransfer.files;
      describeChoice();
    });

    function setBusy(busy) {
      button.disabled = busy;
      progress.hidden = !busy;
      meter.removeAttribute("value");
      words.textContent = "Uploading…";
    }

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const request = new XMLHttpRequest();
      request.upload.addEventListener("progress", ({ loaded, total }) => {
        const percent = Math.floor((loaded / total) * 100);
        meter.value = percent;
        words.textContent = percent < 100 ? `Uploading and checking… ${percent}%` : "Checking the last rows…";
      });
      request.addEventListener("load", () => {
        if (request.status < 400 && request.responseURL) {
          window.location.assign(request.responseURL);
        } else {
          showAnswer(request.responseText);
        }
      });
      request.addEventListener("error", () => {
        setBusy(false);
        showToast("The connection broke before the upload was answered. Try again: what has arrived already is not imported twice.");
      });
      request.open("POST", form.action);
      // With the form's key: sent again after a broken connection, the same file leads to the import it has made.
      request.send(new FormData(form));
      setBusy(true);
    });
    // Coming back with the Back button must find a form that can be used.
    window.addEventListener("pageshow", () => {
      setBusy(false);
      describeChoice();
    });
  }

  // The page that says why a file was refused, put in the place of the one that sent it.
  function showAnswer(html) {
    const answer = new DOMParser().parseFromString(html, "text/html");
    document.title = answer.title;
    one("#content").replaceWith(one("#content", answer));
    startContent();
    const alert = one("[role=alert]");
    if (alert) alert.scrollIntoView({ block: "center" });
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
