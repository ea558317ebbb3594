// What small controls do beyond the browser's own: copy a text, close a menu.

import { all, one } from "./dom.js";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy);
  const words = one("[data-copy-words]", button);
  const label = (button.dataset.label ??= words.textContent);
  try {
    await navigator.clipboard.writeText(text.textContent);
    words.textContent = "Copied";
  } catch {
    // Browsers deny the clipboard to pages that come over plain HTTP: the text is selected, ready for Ctrl+C.
    window.getSelection().selectAllChildren(text);
    words.textContent = "Selected: press Ctrl+C";
  }
  setTimeout(() => (words.textContent = label), 4000);
});

function closeMenus(except) {
  for (const menu of all("[data-menu][open]")) if (menu !== except) menu.open = false;
}

// A click elsewhere closes a menu, and so does the choice of an entry.
document.addEventListener("click", ({ target }) => closeMenus(target.closest("[data-menu] li") ? null : target.closest("[data-menu]")));
document.addEventListener("keydown", (event) => {
  const menu = one("[data-menu][open]");
  if (event.key !== "Escape" || !menu) return;
  // A dialog that the menu stands in stays open.
  event.preventDefault();
  const hadFocus = menu.contains(document.activeElement);
  closeMenus();
  if (hadFocus) one("summary", menu).focus();
});
