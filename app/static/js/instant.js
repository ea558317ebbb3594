// Filters a list while its text is typed; without this, a button does.

import { refresh } from "./live.js";

const REST = 250;
let timer = 0;

function filter(form) {
  clearTimeout(timer);
  const address = new URL(form.action);
  address.search = new URLSearchParams([...new FormData(form)].filter(([, value]) => value.trim()));
  const part = document.getElementById(form.dataset.instant);
  part.dataset.live = address.pathname + address.search;
  // The list begins anew, and what it shows can be linked to.
  history.replaceState(null, "", address);
  refresh(part);
}

document.addEventListener("input", ({ target }) => {
  const form = target.closest("form[data-instant]");
  if (!form) return;
  clearTimeout(timer);
  timer = setTimeout(() => filter(form), REST);
});
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-instant]")) return;
  event.preventDefault();
  filter(event.target);
});
