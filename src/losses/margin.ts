import { scalar, type Value } from "../graph/index.ts";
import { logSoftmax, mul, neg, reduceSum, softmax, sub, unary, where } from "../primitives/index.ts";
import { isLabel, labelLogLoss } from "./categorical.ts";
import { customLoss } from "./customLoss.ts";
import type { Loss } from "./loss.ts";
