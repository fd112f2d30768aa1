export { linearDensityFigure, logarithmicDensityFigure, smoothedDensity } from "./densityFigures.ts";
export { colour, drawFigure, FIGURE_WIDTH, legendEntry } from "./drawFigure.ts";
export { largestEigenvaluesFigure, smallestEigenvaluesFigure } from "./eigenvalueFigures.ts";
export {
  distinctPart,
  drawnLayers,
  layerMeanFigure,
  layerTrace,
  layerTraceFigure,
  MOST_LAYERS,
  meanCurvature,
} from "./layerFigures.ts";
export { linearLabel, logarithmicScale, wholeExponents } from "./logarithmicTicks.ts";
export { type DrawnMatrix, matrixFigure } from "./matrixFigure.ts";
