export type * from "../applications/report.ts";
export type { Finding, FindingTopic } from "./finding.ts";
export { findings } from "./findings.ts";
export { type NamedReport, renderComparison, renderComparisonTable } from "./renderComparison.ts";
export { renderHtml } from "./renderHtml.ts";
export { renderJson } from "./renderJson.ts";
export { type LandscapePage, renderLandscape } from "./renderLandscape.ts";
export { type PruningPage, renderPruning } from "./renderPruning.ts";
export { renderTable } from "./renderTable.ts";
