import { test } from "vitest";
import { checkDeep } from "./deepChain.ts";

test("a chain of 5,000 layers has the derivatives that differences say", () => checkDeep("chain", 5000));
test("a sum of 5,000 branches has the derivatives that differences say", () => checkDeep("sum of branches", 5000));
