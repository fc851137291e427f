/**
 * Sets the light or dark theme before the page is first painted. This is a plain script, because
 * modules run after the document was parsed. `system` uses the setting of the operating system.
 * `shell.js` changes the theme.
 */
(() => {
  /** @type {string | null} */
  let chosen = null;
  try {
    chosen = localStorage.getItem("mesher.theme");
  } catch {
    // Without storage, the setting of the operating system is used.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
