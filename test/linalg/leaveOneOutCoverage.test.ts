import { describeLeaveOneOut } from "./leaveOneOutSuite.ts";

// 250 runs are in leaveOneOutCoverage.long.ts.
describeLeaveOneOut({ runs: 90, seeds: 20, least: [0.85, 0.88], most: 1, variance: [0.65, 1.6] });
