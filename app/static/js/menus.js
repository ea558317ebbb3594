// Closes menus as people expect it of menus: with Escape, with a click elsewhere, and once something in one was chosen.

import { all, one } from "./dom.js";

function closeAll(except) {
  for (const menu of all("[data-menu][open]")) if (menu !== except) menu.open = false;
}

document.addEventListener("click", (event) => {
  const menu = event.target.closest("[data-menu]");
  closeAll(event.target.closest("[data-menu] li") ? null : menu);
});
document.addEventListener("keydown", (event) => {
  const menu = one("[data-menu][open]");
  if (event.key !== "Escape" || !menu) return;
  // A dialog behind it stays.
  event.preventDefault();
  const hadFocus = menu.contains(document.activeElement);
  closeAll();
  if (hadFocus) one("summary", menu).focus();
});
