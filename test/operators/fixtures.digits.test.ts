import { sampled } from "../sampled.ts";
import { describeDigits } from "./digitsSuite.ts";

// Each loss once. Every case with every loss is in fixtures.digits.long.ts, and in fixtures.products.test.ts by a product with a vector.
describeDigits(
  sampled(
    [
      ["train", "cross_entropy"],
      ["train50", "mse"],
      ["train50", "bce_with_logits"],
    ],
    1,
  ),
);
