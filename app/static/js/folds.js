// Opens what an address leads to: a heading that was folded away. The style sheet shows it without this, too.

import { one } from "./dom.js";

function open() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const fold = target?.matches(".fold") && one("details", target);
  if (fold) fold.open = true;
}

window.addEventListener("hashchange", open);
open();
