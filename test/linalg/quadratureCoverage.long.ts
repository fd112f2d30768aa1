import { describeQuadratureCoverage } from "./quadratureCoverageSuite.ts";

describeQuadratureCoverage({ runs: 400, few: [10, 20, 30], most: 0.98, least: { many: 0.92, few: 0.85 } });
