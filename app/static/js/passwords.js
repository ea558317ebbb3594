// Shows a new password while it is typed: there is no way back for a seller who has mistyped it.

document.addEventListener("change", (event) => {
  const box = event.target.closest("[data-show-passwords]");
  if (!box) return;
  for (const name of ["current_password", "new_password"]) {
    box.form.elements[name].type = box.checked ? "text" : "password";
  }
});
