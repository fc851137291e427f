/**
 * Checks the accessibility of a page: every control has a name, ids are unique, and every text has
 * the contrast that WCAG 2.2 requires at level AA (4.5, or 3 for large text).
 */
import type { Page } from "playwright-core";

/** The script that runs in the page. Returns descriptions of the problems. */
const SCRIPT = `(() => {
  const faults = [];
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  /** Returns a CSS colour as [red, green, blue, opacity], each from 0 to 1. */
  const colour = (css) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = css;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].map((n) => n / 255);
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((n, i) => n * a + below[i] * (1 - a));
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((n) => n <= 0.03928 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const behind = (element) => {
    const layers = [];
    for (let one = element; one !== null; one = one.parentElement) {
      const layer = colour(getComputedStyle(one).backgroundColor);
      layers.push(layer);
      if (layer[3] === 1) break;
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), [1, 1, 1]);
  };
  const visible = (element) =>
    element.checkVisibility({ opacityProperty: true, visibilityProperty: true });

  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (text === "" || seen.has(element) || !visible(element)) continue;
    seen.add(element);
    // Disabled controls may have a low contrast.
    if (element.closest(":disabled, [aria-disabled=true], option, noscript, svg")) continue;
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || size >= 18.66 && Number(style.fontWeight) >= 700;
    const back = behind(element);
    const contrast = ratio(over(colour(style.color), back), back);
    if (contrast < (isLarge ? 3 : 4.5)) {
      faults.push("contrast " + contrast.toFixed(2) + ": " + text.slice(0, 40));
    }
  }

  const controls = "button, a[href], input, select, textarea, summary";
  for (const one of document.querySelectorAll(controls)) {
    if (!visible(one)) continue;
    const isField = one.matches("input, select, textarea");
    const labels = isField ? [...one.labels].map((label) => label.textContent) : [one.textContent];
    const names = [one.ariaLabel, one.title, ...labels];
    if (!names.some((name) => name?.trim())) faults.push("no name: " + one.outerHTML.slice(0, 80));
  }
  const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
  for (const id of new Set(ids)) {
    if (ids.filter((one) => one === id).length > 1) faults.push("twice: #" + id);
  }
  if (document.querySelectorAll("h1").length !== 1) faults.push("not one h1");
  return faults;
})()`;

/** Returns the problems of the current page. */
export function accessibilityProblems(page: Page): Promise<string[]> {
  return page.evaluate<string[]>(SCRIPT);
}
