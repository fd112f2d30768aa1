import { describeSequentialCoverage } from "./coverageToleranceSuite.ts";

describeSequentialCoverage({ runs: 120, least: 0.93, together: 0.94 });
