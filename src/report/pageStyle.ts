/** Style sheet of the page: system fonts, one measure, colours as variables for the light, the dark and the printed page. */
export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1f2328; --soft: #5f6873; --line: #dfe3e8; --wash: #f6f7f9; --accent: #2b5c8f; --warn: #a8571a; --shade: rgb(0 0 0 / 0.22);
  --series-1: #2b5c8f; --series-2: #d07a27; --series-3: #3b8a64; --series-4: #8a5fae; --series-5: #7a7f2a; --negative: #b8323f;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", sans-serif;
  font-size: 16px; line-height: 1.55;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #16191d; --ink: #e3e6ea; --soft: #9aa4af; --line: #333a42; --wash: #1e2329; --accent: #7fb0e0; --warn: #e3a265; --shade: rgb(255 255 255 / 0.28);
    --series-1: #76abe0; --series-2: #eea45c; --series-3: #6cc397; --series-4: #bd97de; --series-5: #bcc15f; --negative: #ef7680;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); }
main { max-width: 1080px; margin: 0 auto; padding: 48px 28px 64px; }
h1, h2, h3, p, dl, dd, figure, ul { margin: 0; }
h1 { font-size: 2rem; line-height: 1.2; font-weight: 650; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; font-weight: 650; margin-bottom: 12px; }
h3 { font-size: 1rem; font-weight: 600; margin: 28px 0 8px; }
.title { font-size: 0.85rem; font-weight: 600; color: var(--soft); margin-bottom: 4px; }
section { margin-top: 52px; border-top: 1px solid var(--line); padding-top: 24px; }
section > p { max-width: 72ch; color: var(--soft); margin-bottom: 16px; }
section > p a.term { color: inherit; }
.kind { color: var(--accent); font-weight: 600; font-size: 0.85rem; letter-spacing: 0.06em; text-transform: uppercase; margin-bottom: 6px; }
.subtitle { color: var(--soft); margin-top: 8px; overflow-wrap: anywhere; }
a.term { color: inherit; text-decoration: underline dotted; text-decoration-color: var(--soft); text-underline-offset: 3px; }
a.term:hover { text-decoration-style: solid; }
.facts { display: flex; flex-wrap: wrap; margin-top: 28px; border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
.fact { flex: 1 1 160px; padding: 14px 14px; box-shadow: 1px 1px 0 var(--line); }
.fact dt { font-size: 0.82rem; color: var(--soft); }
.fact dd { font-size: 1.12rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.fact dd.note { font-size: 0.8rem; font-weight: 400; color: var(--soft); white-space: normal; }
.finding { display: grid; grid-template-columns: 220px 1fr; gap: 4px 24px; padding: 14px 0; border-bottom: 1px solid var(--line); }
.finding:last-child { border-bottom: 0; }
.finding dt { color: var(--soft); }
.finding dd { max-width: 72ch; }
.finding .answer { font-weight: 600; }
.finding.caution .answer { color: var(--warn); }
.finding.caution .mark::before { content: "\\26A0\\FE0E\\00A0"; }
.contents { margin-top: 20px; font-size: 0.9rem; } .contents ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 4px 18px; }
.contents a { color: var(--accent); }
.banner { margin-top: 20px; padding: 10px 14px; border: 1px solid var(--warn); border-radius: 8px; color: var(--warn); font-weight: 600; }
.tooltip { position: fixed; pointer-events: none; background: var(--ink); color: var(--paper); padding: 2px 8px; border-radius: 4px; font-size: 0.8rem; z-index: 2; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 24px 24px; margin: 20px 0; align-items: start; }
.matrices { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 220px), 1fr)); gap: 20px; margin: 16px 0; } .matrix svg { border: 1px solid var(--line); }
figure { min-width: 0; break-inside: avoid; }
figure svg { width: 100%; height: auto; max-width: 560px; }
figure svg [aria-label$="-grid"] { stroke-opacity: 0.12; }
figcaption { font-size: 0.82rem; color: var(--soft); line-height: 1.5; margin-top: 2px; max-width: 560px; }
.key { margin-right: 12px; white-space: nowrap; }
.swatch { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 6px; background: currentColor; }
.swatch.series-1 { background: var(--series-1); } .swatch.series-2 { background: var(--series-2); }
.swatch.series-3 { background: var(--series-3); } .swatch.series-4 { background: var(--series-4); }
.swatch.series-5 { background: var(--series-5); } .swatch.negative { background: var(--negative); }
.swatch.dashed { width: 18px; height: 0; border-top: 1.5px dashed currentColor; border-radius: 0; background: none; vertical-align: middle; }
.swatch.ticks { width: 9px; border-left: 1px solid; border-right: 1px solid; border-radius: 0; background: linear-gradient(90deg, transparent 3px, currentColor 3px, currentColor 4px, transparent 4px); }
.swatch.circle { border: 1.2px solid currentColor; border-radius: 50%; background: none; }
.scroll { overflow-x: auto; background: linear-gradient(to right, var(--paper) 30%, transparent) left / 40px 100% no-repeat local, linear-gradient(to left, var(--paper) 30%, transparent) right / 40px 100% no-repeat local, linear-gradient(to right, var(--shade), transparent) left / 14px 100% no-repeat scroll, linear-gradient(to left, var(--shade), transparent) right / 14px 100% no-repeat scroll; }
.hint { display: none; font-size: 0.8rem; color: var(--soft); }
.scroll.tall { max-height: 460px; overflow-y: auto; }
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th, td { padding: 8px 14px 8px 0; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; white-space: nowrap; }
th:last-child, td:last-child { padding-right: 4px; }
th:first-child, .words th, .words td { text-align: left; }
tbody th { font-weight: 500; }
thead th { font-size: 0.82rem; font-weight: 600; color: var(--soft); vertical-align: bottom; }
.tall thead th { position: sticky; top: 0; background: var(--paper); }
tbody + tbody tr:first-child > * { border-top: 2px solid var(--line); }
thead th a { color: var(--accent); }
tr.part th { padding-left: 22px; font-weight: 400; } tr.part > * { color: var(--soft); font-size: 0.85rem; padding-top: 4px; padding-bottom: 4px; }
.exact, .residual, .shape, .symbol { font-size: 0.8rem; color: var(--soft); font-weight: 400; }
.symbol { font-style: italic; margin-left: 4px; }
abbr { text-decoration: none; }
.scroll + p { margin-top: 12px; }
.aside { font-weight: 400; color: var(--soft); }
details { margin-top: 14px; }
summary { cursor: pointer; font-weight: 500; padding: 4px 0; }
.setup > div { display: grid; grid-template-columns: 110px 1fr; gap: 12px; padding: 4px 0; }
.setup dt { color: var(--soft); } .setup dd { overflow-wrap: anywhere; }
.statuses { color: var(--soft); font-size: 0.85rem; padding-left: 18px; margin-top: 12px; }
.definition { display: grid; grid-template-columns: 220px 1fr; gap: 4px 24px; padding: 14px 0; border-bottom: 1px solid var(--line); break-inside: avoid; scroll-margin-top: 12px; }
.definition:target { background: var(--wash); }
.definition dt { font-weight: 600; }
.definition dd { max-width: 72ch; }
.definition p { color: var(--soft); margin-top: 4px; font-size: 0.93rem; }
.formula { font-family: "Cambria Math", Cambria, "STIX Two Text", "Latin Modern Roman", Georgia, "Liberation Serif", serif; font-size: 1.08rem; line-height: 1.7; }
@media (max-width: 900px) {
  .hint { display: block; }
}
@media (max-width: 640px) {
  main { padding: 28px 16px 40px; }
  h1 { font-size: 1.5rem; }
  .finding, .definition { grid-template-columns: 1fr; }
  .fact { flex-basis: 130px; padding: 10px 12px; } .fact dd { font-size: 1.05rem; }
  section { margin-top: 36px; }
}
@media print {
  :root { font-size: 12px; }
  main { max-width: none; padding: 0; }
  .contents, .hint, .tooltip { display: none; }
  details::details-content { content-visibility: visible; display: block; }
  .scroll { background: none; }
  th, td { white-space: normal; padding-right: 8px; }
  section { margin-top: 28px; }
  .pair { grid-template-columns: 1fr 1fr; }
  .scroll, .scroll.tall { max-height: none; overflow: visible; }
  h2, h3, .title, summary { break-after: avoid; } tr { break-inside: avoid; }
  a.term { text-decoration: none; }
}
`;
