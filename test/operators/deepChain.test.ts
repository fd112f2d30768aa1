import { test } from "vitest";
import { checkDeep } from "./deepChain.ts";

test("a chain of 500 layers has the derivatives that differences say", () => checkDeep("chain", 500));
test("a sum of 500 branches has the derivatives that differences say", () => checkDeep("sum of branches", 500));
