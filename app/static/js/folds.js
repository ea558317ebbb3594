// Folds the long sections of help away where there is no room, and opens what an address leads to: a heading or a part that
// is folded away. Browsers or the style sheet do the latter, too.

import { all } from "./dom.js";

function open() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  const folds = target.matches(".fold") ? [...all(":scope > details", target)] : [];
  for (let around = target.closest("details"); around; around = around.parentElement.closest("details")) folds.push(around);
  if (folds.every((fold) => fold.open)) return;
  for (const fold of folds) fold.open = true;
  target.scrollIntoView();
}

if (matchMedia("(max-width: 47.99rem)").matches) for (const section of all(".folds-on-phone")) section.open = false;
window.addEventListener("hashchange", open);
open();
