"use strict";

/* A switch between light and dark, which starts as the system has it and is kept where storage is allowed. */
{
  const KEY = "equipoise-theme";
  const stored = (act) => {
    try {
      return act(localStorage);
    } catch (error) {
      if (error instanceof DOMException) return null; // storage can be denied to a page from a file
      throw error;
    }
  };
  const system = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "theme";
  button.textContent = "Dark theme";
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const show = () => button.setAttribute("aria-pressed", String(isDark()));
  const kept = stored((storage) => storage.getItem(KEY));
  if (kept === "dark" || kept === "light") root.dataset.theme = kept;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    stored((storage) => storage.setItem(KEY, root.dataset.theme));
    show();
  });
  system.addEventListener("change", show);
  show();
  document.querySelector(".brand").append(button);
}
