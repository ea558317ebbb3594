// Goes from cell to cell by Enter and the arrow keys, as in a spreadsheet (without this, Tab does), and counts what is typed
// and chosen.

import { all, language } from "./dom.js";

const STEPS = { Enter: 1, ArrowDown: 1, ArrowUp: -1 };

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  const form = target.closest("form[data-cells]");
  if (!form || !(key in STEPS) || event.isComposing || event.altKey || event.ctrlKey || event.metaKey) return;
  const cells = [...all(":is(.fix-fields, .fix-cells, .fix-raw) :is(input[type=text], select, textarea)", form)];
  const open = cells.filter((cell) => cell.checkVisibility());
  // In a text of several lines, these keys mean something else; in a list, arrows choose.
  const goes = target.matches(key === "Enter" ? "input, select" : "input");
  const at = goes ? open.indexOf(target) : -1;
  const next = at < 0 ? null : open[at + STEPS[key]];
  // Behind the last cell, Enter sends the form.
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.select?.();
});

const inDigits = (count) => count.toLocaleString(language);
const plain = (text) => text.replaceAll("\r\n", "\n").trim();

function isTyped({ type, value, checked, dataset, defaultValue }) {
  if (type === "radio" || type === "checkbox") return checked;
  return plain(value) !== plain(dataset.was ?? defaultValue);
}

function count(form) {
  const typed = [...all("[name^=to-], [name^=cell-], [name^=pick-], [name=leave-out]", form)].filter(isTyped).length;
  for (const place of all("[data-typed]", form)) {
    place.textContent = typed ? place.dataset.typed.replace("#", inDigits(typed)) : "";
  }
}

function measure(field) {
  const place = document.getElementById(field.getAttribute("aria-describedby"));
  if (!place) return;
  const { limit } = place.dataset;
  const length = [...plain(field.value)].length;
  place.textContent = `${inDigits(length)} of at most ${limit} characters`;
  place.classList.toggle("is-over", length > limit);
}

document.addEventListener("input", ({ target }) => {
  const form = target.closest("form[data-cells]");
  if (!form) return;
  count(form);
  measure(target);
});
for (const form of all("form[data-cells]")) count(form);
