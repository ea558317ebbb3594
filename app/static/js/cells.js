// Goes from cell to cell by Enter and the arrow keys, as in a spreadsheet; without this, Tab does.

import { all } from "./dom.js";

const STEPS = { Enter: 1, ArrowDown: 1, ArrowUp: -1 };

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  const form = target.closest("form[data-cells]");
  if (!form || !(key in STEPS) || event.isComposing || event.altKey || event.ctrlKey || event.metaKey) return;
  const cells = [...all(":is(.fix-fields, .fix-cells, .fix-raw) :is(input[type=text], textarea)", form)];
  const open = cells.filter((cell) => cell.checkVisibility());
  // In a text of several lines, these keys mean something else.
  const at = target.matches("input") ? open.indexOf(target) : -1;
  const next = at < 0 ? null : open[at + STEPS[key]];
  // Behind the last cell, Enter sends the form.
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.select();
});
