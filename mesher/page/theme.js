/**
 * Sets the light or dark theme before the page is first painted. This is a plain script, because
 * modules run after the document was parsed. The theme `system` uses the setting of the operating
 * system. The user changes the theme in `shell.js`.
 */
(() => {
  /** The theme that the user has chosen. @type {string | null} */
  let chosen = null;
  try {
    chosen = localStorage.getItem("mesher.theme");
  } catch {
    // If the browser's storage is unavailable, the setting of the operating system is used.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
