export { comparisonSection } from "./comparisonSection.ts";
export { costSection } from "./costSection.ts";
export { densitySection } from "./densitySection.ts";
export { findingsSection } from "./findingsSection.ts";
export { layersSection } from "./layersSection.ts";
export { fileName, overviewSection } from "./overviewSection.ts";
export { setupSection } from "./setupSection.ts";
export { structuredSection } from "./structuredSection.ts";
