import { describeExtremes } from "./extremesSuite.ts";

describeExtremes(["cross_entropy", "mse", "bce_with_logits"]);
