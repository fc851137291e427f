/**
 * The light or dark theme, set before the first paint by a plain script, because modules wait for
 * the document. `system` uses the system's setting. `shell.js` changes it.
 */
(() => {
  /** @type {string | null} */
  let chosen = null;
  try {
    chosen = localStorage.getItem("mesher.theme");
  } catch {
    // Storage is not available: the system's setting applies.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
