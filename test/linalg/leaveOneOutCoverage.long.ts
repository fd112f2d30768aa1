import { describeLeaveOneOut } from "./leaveOneOutSuite.ts";

describeLeaveOneOut({ runs: 250, seeds: 40, least: [0.88, 0.92], most: 0.985, variance: [0.75, 1.4] });
