/**
 * Script of the page: opens all details for print, and shows the value of a mark at the pointer at once. The page reads the same without it,
 * since marks have titles, which browsers show by themselves. A change of the text needs the new hash, which a test computes.
 */
export const PAGE_SCRIPT = `
addEventListener("beforeprint", () => { for (const each of document.querySelectorAll("details")) each.open = true; });
let tooltip;
addEventListener("pointerover", ({ target, clientX, clientY }) => {
  tooltip?.remove();
  const text = target.closest?.("svg *")?.querySelector(":scope > title")?.textContent;
  if (!text) return;
  tooltip = Object.assign(document.createElement("div"), { className: "tooltip", textContent: text });
  document.body.append(tooltip);
  tooltip.style.left = Math.min(clientX + 12, innerWidth - tooltip.offsetWidth - 8) + "px";
  tooltip.style.top = Math.max(4, clientY - 32) + "px";
});
`;

/** Source of the script for the page's content security policy. */
export const PAGE_SCRIPT_HASH = "sha256-M1Jd+BiG7/pi8P8Jko+faGjqRaduOh3w+MZYUDdo9ps=";
