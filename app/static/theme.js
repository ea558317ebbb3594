// Before anything is painted: light or dark as the reader's system has it, and the mark that scripts run.
(function () {
  "use strict";
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => root.setAttribute("data-bs-theme", dark.matches ? "dark" : "light");
  root.classList.add("has-scripts");
  dark.addEventListener("change", apply);
  apply();
})();
