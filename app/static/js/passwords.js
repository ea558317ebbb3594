// Shows the passwords of a form while they are typed.

document.addEventListener("change", (event) => {
  const box = event.target.closest("[data-show-passwords]");
  if (!box) return;
  for (const field of box.form.querySelectorAll("[autocomplete$='-password']")) field.type = box.checked ? "text" : "password";
});
