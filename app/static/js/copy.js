// Copies a text to the clipboard.

import { one } from "./dom.js";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = document.getElementById(button.dataset.copy);
  const words = one("[data-copy-words]", button);
  try {
    await navigator.clipboard.writeText(text.textContent);
    words.textContent = "Copied";
  } catch {
    // Browsers deny the clipboard to pages that come over plain HTTP: the text is selected, ready for Ctrl+C.
    window.getSelection().selectAllChildren(text);
    words.textContent = "Selected: press Ctrl+C";
  }
  setTimeout(() => (words.textContent = "Copy"), 4000);
});
