import { describeDigits } from "./digitsSuite.ts";

const losses = ["cross_entropy", "mse", "bce_with_logits"] as const;
describeDigits(["train", "train50"].flatMap((caseName) => losses.map((loss) => [caseName, loss] as const)));
