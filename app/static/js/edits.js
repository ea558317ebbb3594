// What the form of the listings does beyond the browser's own: selects all at once, and keeps what was typed from being lost.

import { all, one } from "./dom.js";

const form = one("[data-edits]");
const selectAll = form && one("[data-select-all]", form);

function countSelected() {
  const boxes = [...all("input[name=selected]", form)].filter((box) => box !== selectAll);
  const selected = boxes.filter((box) => box.checked).length;
  selectAll.checked = selected === boxes.length;
  selectAll.indeterminate = selected > 0 && selected < boxes.length;
  one("[data-selected-count]", form).textContent = selected ? ` (${selected})` : "";
}

if (form) {
  form.addEventListener("change", ({ target }) => {
    if (target === selectAll) for (const box of all("input[name=selected]", form)) box.checked = selectAll.checked;
    if (target.name === "selected") countSelected();
  });
  countSelected();

  let isSent = false;
  form.addEventListener("submit", () => (isSent = true));
  window.addEventListener("beforeunload", (event) => {
    const isTyped = [...all("input.form-control", form)].some((field) => field.value !== field.defaultValue);
    if (isTyped && !isSent) event.preventDefault();
  });
}
