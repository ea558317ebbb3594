// Opens what an address leads to: a heading or a part that was folded away. Browsers or the style sheet do so, too.

import { one } from "./dom.js";

function open() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const around = target?.closest("details");
  const fold = around ?? (target?.matches(".fold") && one("details", target));
  if (!fold || fold.open) return;
  fold.open = true;
  if (around) target.scrollIntoView();
}

window.addEventListener("hashchange", open);
open();
