/**
 * Light or dark, set before the first paint: a plain script, because modules wait for the document.
 * `system` leaves it to the machine. `shell.js` switches.
 */
(() => {
  /** @type {string | null} */
  let chosen = null;
  try {
    chosen = localStorage.getItem("mesher.theme");
  } catch {
    // Storage is forbidden here: the machine's choice stands.
  }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
