// Asks before an import is terminated.

import { all, one } from "./dom.js";
import { keepFocusIn } from "./live.js";

const dialog = one("#confirm");
let asking = null;

function ask(form) {
  asking = {
    url: form.getAttribute("action"),
    next: form.elements.next.value,
    part: form.closest("[data-live]"),
    within: form.closest("[data-import-id]"),
  };
  one("[data-confirm-file]", dialog).textContent = form.dataset.file;
  for (const noun of all("[data-confirm-noun]", dialog)) noun.textContent = form.dataset.noun;
  one("[data-confirm-cancel]", dialog).textContent = form.dataset.keep;
  tell(form);
  dialog.showModal();
}

function tell(form) {
  one("[data-confirm-state]", dialog).textContent = form.dataset.state;
  one("[data-confirm-consequence]", dialog).textContent = form.dataset.consequence;
}

function update() {
  if (!dialog.open) return;
  const form = one(`form[data-confirm-terminate][action="${CSS.escape(asking.url)}"]`);
  // The import ended while the seller was reading.
  if (!form) dialog.close();
  else tell(form);
}

function terminate() {
  dialog.close();
  keepFocusIn(asking.within);
  htmx.ajax("POST", asking.url, {
    target: asking.part,
    swap: "morph:outerHTML",
    values: { csrf_token: dialog.dataset.csrfToken, next: asking.next },
  });
}

if (dialog) {
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-confirm-terminate]");
    if (!form) return;
    event.preventDefault();
    ask(form);
  });
  document.addEventListener("sluice:shown", update);
  one("[data-confirm-cancel]", dialog).addEventListener("click", () => dialog.close());
  one("[data-confirm-go]", dialog).addEventListener("click", terminate);
  // A click on the dimmed page closes the dialog, as Escape does.
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
}
