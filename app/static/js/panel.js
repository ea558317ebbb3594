// Shows an import in a panel beside My Imports. The address says which one, so it can be linked to, and Back closes it.

import { one } from "./dom.js";

// A modal dialog: what is behind it is out of reach, and Escape closes it.
const panel = one("#panel");
const body = one("#panel-body");
const notices = one("#notices");
let shown = null;

const asked = () => new URL(location).searchParams.get("panel");
const pageOf = (id) => `${panel.dataset.imports}/${encodeURIComponent(id)}/panel`;
const fill = (template) => body.replaceChildren(one(template).content.cloneNode(true));

function addressOf(id) {
  const address = new URL(location);
  if (id) address.searchParams.set("panel", id);
  else address.searchParams.delete("panel");
  return address;
}

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
