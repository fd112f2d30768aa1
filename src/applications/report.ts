import type { EqualMatrix } from "./equalMatrices.ts";
import type { MatrixPlan } from "./matrixPlan.ts";
import type { MatrixName, MatrixWords } from "./reportedMatrices.ts";

export type { EqualMatrix } from "./equalMatrices.ts";

export type { MatrixName, MatrixWords } from "./reportedMatrices.ts";

/** An estimated or computed number with its standard error and its cost. `standardError` 0 means exact. */
export interface Quantity {
  readonly value: number;
  readonly standardError: number;
  /** Number of products with the matrix that it took. */
  readonly matvecs: number;
  /** True if the number comes from the dense matrix instead of an estimate. */
  readonly exact?: boolean;
  /** The same quantity from the dense matrix, if `value` is an estimate and the matrix was small enough to be formed. */
  readonly exactValue?: number;
}

/** An eigenvalue and the norm of `A v - value v` for its unit vector v: some eigenvalue of A lies within that distance. */
export interface ReportedEigenvalue {
  readonly value: number;
  readonly residualNorm: number;
}

/** A spectral density on a grid. On the linear scale it integrates to 1 over the grid. */
export interface ReportedDensity {
  readonly grid: readonly number[];
  readonly density: readonly number[];
  /** Standard deviation of the Gaussian kernel, in the grid's variable. */
  readonly width: number;
}

/** Curvature of the parameters of one layer: the trace of their diagonal block. */
export interface ReportedLayer {
  readonly name: string;
  /** Number of weights in it. */
  readonly parameters: number;
  readonly trace: number;
  readonly standardError: number;
  /** The trace of the block from the dense matrix, if the matrix was small enough to be formed. */
  readonly exactTrace?: number;
  /** The tensors of the layer (weight matrix, bias, ...), with their shapes in the file. */
  readonly tensors: readonly {
    readonly name: string;
    readonly dims: readonly number[];
    readonly trace: number;
    readonly standardError: number;
  }[];
}

/** The part of the report on one matrix. */
export interface ReportedMatrix {
  /** Full name for headings, for example "Hessian". */
  readonly title: string;
  /** What it is called in running text and formulas, and what it measures. */
  readonly words: MatrixWords;
  /** Its place among all matrices that a report can have, from 0: settles order, colour and mark. */
  readonly place: number;
  readonly psd: boolean;
  readonly trace: Quantity;
  /** Frobenius norm (not squared). */
  readonly frobenius: Quantity;
  readonly eigenvalues: {
    readonly largest: readonly ReportedEigenvalue[];
    readonly smallest: readonly ReportedEigenvalue[];
    /** Dense eigenvalues, outermost first, if the matrix was small enough to be formed. */
    readonly exact?: { readonly largest: readonly number[]; readonly smallest: readonly number[] };
    readonly matvecs: number;
    readonly status: string;
    readonly message: string;
  };
  readonly density: ReportedDensity & {
    /**
     * Density on the scale log10 |eigenvalue|: separate negative and positive parts, and the mass that is too close to zero to be resolved.
     */
    readonly logarithmic: {
      readonly negative: ReportedDensity;
      readonly positive: ReportedDensity;
      readonly zeroMass: number;
      /** |eigenvalue| below which mass counts as zero. */
      readonly epsilon: number;
    };
    /** Estimated fraction of eigenvalues below `-resolution`. */
    readonly negativeMass: number;
    /** Size below which the estimate distinguishes neither eigenvalues from zero nor their sign; at least epsilon. */
    readonly resolution: number;
    readonly matvecs: number;
    /** All exact eigenvalues in ascending order, if the dense matrix was formed. */
    readonly exactEigenvalues?: readonly number[];
  };
  readonly layers: readonly ReportedLayer[];
  /** Total number of products with this matrix, and their time. */
  readonly matvecs: number;
  readonly seconds: number;
}

/** Range of one input over the data set. */
export interface InputSummary {
  readonly name: string;
  readonly minimum: number;
  readonly maximum: number;
  readonly mean: number;
  /** Whether all its numbers are whole. */
  readonly whole: boolean;
}

/** Ranges of the inputs, and what the targets are. */
export interface DataSummary {
  readonly inputs: readonly InputSummary[];
  readonly targets?:
    | {
        readonly kind: "classes";
        /** Number of rows (or tokens) of each class. */
        readonly counts: readonly number[];
        /** Names of the classes with these labels, if the data have names. */
        readonly names?: readonly string[];
        /** Number of labels that the loss ignores. */
        readonly ignored: number;
      }
    | {
        readonly kind: "values";
        readonly minimum: number;
        readonly maximum: number;
        readonly mean: number;
        /** Mean over the elements of a row of their variance over rows. */
        readonly variance: number;
      };
}

/** Effect on the loss of rounding the weights of one layer to a number of bits. */
export interface RoundingChange {
  readonly bits: number;
  /** Distance of neighbouring grid points, the largest among the layer's tensors. */
  readonly step: number;
  /** Predicted increase of the loss, trace times step^2 / 24 summed over tensors, and its standard error. */
  readonly predicted: number;
  readonly standardError: number;
  /** Increase of the loss on these data at the rounded weights. Negative where rounding lowers it. */
  readonly measured: number;
}

/** One layer rounded while all others are kept. */
export interface RoundedLayer {
  readonly name: string;
  /** Number of weights that are rounded: those of weight matrices, kernels and tables. */
  readonly weights: number;
  readonly changes: readonly RoundingChange[];
}

/** Increase of the loss for each layer rounded alone. */
export interface LayerRounding {
  readonly scheme: "symmetric";
  /** Loss without rounding. */
  readonly loss: number;
  readonly layers: readonly RoundedLayer[];
  /** Number of layers that were not measured, since their predicted increase is the smallest. */
  readonly omitted: number;
  /** Spearman's rank correlation of the predicted and the measured increase over layers; without a value for fewer than two layers. */
  readonly rankCorrelations: readonly { readonly bits: number; readonly layers: number; readonly value?: number }[];
}

/** Increase of the loss when every weight changes by a random share of itself of standard deviation `size`. */
export interface RelativeDisturbance {
  readonly size: number;
  /** To second order, and its standard error. */
  readonly predicted: number;
  readonly predictedError: number;
  /** Mean over random disturbances in opposite pairs, and its standard error. */
  readonly measured: number;
  readonly standardError: number;
  readonly evaluations: number;
}

/** Curvature in units of the weights: that of `D A D` with D = diag(|w|). Rescaling of weights that keeps the network does not change it. */
export interface RelativeCurvature {
  /** The matrix A, as "the Hessian". */
  readonly noun: string;
  /** Sum of `w_i^2 A_ii`. */
  readonly trace: Quantity;
  readonly frobenius: Quantity;
  readonly largest?: ReportedEigenvalue;
  /** Effective number of directions `(tr M)^2 / |M|^2` of the relative form M of the matrix `directionsOf`. */
  readonly directions?: Quantity;
  readonly directionsOf?: string;
  /** Relative disturbance at which the loss rises by a tenth of `reference`, to second order; absent where the trace is not positive. */
  readonly raisingSize?: number;
  /** The same measured, between two of `disturbances`; absent where no measured disturbance raises the loss as much. */
  readonly measuredSize?: number;
  /** The largest measured disturbance, where none raises the loss as much. */
  readonly withstands?: number;
  /** Loss of the best prediction without inputs if `guessing`, else the loss itself. */
  readonly reference: number;
  readonly guessing: boolean;
  readonly disturbances: readonly RelativeDisturbance[];
}

/**
 * A structured approximation that a report can have: Kronecker factors, these with corrected eigenvalues, the latter with factors of the pieces
 * themselves where weights are shared, the diagonal, or dense blocks of layers.
 */
export type ApproximationName = "kfac" | "ekfac" | "twoSided" | "diagonal" | "blocks";

/** How good a structured approximation K of a matrix A is. */
export interface ReportedApproximation {
  readonly name: ApproximationName;
  readonly title: string;
  /** Time in which it was made, in gradients. */
  readonly gradients: number;
  /** Reverse passes for each row, and how rows with several terms were treated. */
  readonly reversePasses: number;
  readonly terms: string;
  readonly trace: number;
  /** |A - K| / |A| in Frobenius norms. */
  readonly relativeError: number;
  readonly standardError: number;
  /** The same within the diagonal block of each layer, in the order of the network, and the kinds of blocks that its tensors have. */
  readonly layers: readonly {
    readonly name: string;
    readonly parameters: number;
    readonly relativeError: number;
    readonly standardError: number;
    readonly kinds: readonly string[];
  }[];
  /** Conjugate gradients with (K + damping I)^-1 as preconditioner. */
  readonly system: SolvedSystem;
}

/** Products that conjugate gradients took on (A + damping I) x = b for a random b. */
export interface SolvedSystem {
  readonly products: number;
  /** False if the budget ended first. */
  readonly converged: boolean;
}

/** The same entries of a block in a matrix and in its approximations. */
export interface BlockPicture {
  readonly parameter: string;
  readonly dims: readonly number[];
  /** Number of its first entries that the picture has. */
  readonly entries: number;
  /** Columns of the matrix, to four digits. */
  readonly exact: readonly (readonly number[])[];
  readonly approximations: readonly {
    readonly name: ApproximationName;
    readonly values: readonly (readonly number[])[];
  }[];
}

/** Structured approximations of one matrix A beside it. */
export interface StructuredReport {
  /** The matrix, as "the Gauss-Newton matrix". */
  readonly noun: string;
  /** Labels drawn for each term, where there were too many outputs for a reverse pass each. */
  readonly labels?: number;
  /** Random vectors for each layer. */
  readonly probes: number;
  /** Share of |A|^2 that lies between layers, which no approximation by layer can have. */
  readonly outside: number;
  /** Damping of the systems: the mean eigenvalue, by the trace that the same random vectors give. */
  readonly damping: number;
  /** Conjugate gradients without preconditioner. */
  readonly plain: SolvedSystem;
  /** Residual norm over that of b at which a system counts as solved. */
  readonly tolerance: number;
  readonly approximations: readonly ReportedApproximation[];
  readonly picture?: BlockPicture;
  readonly matvecs: number;
}

/** All results of `onnx-curvature report` as plain data, written to report.json unchanged. */
export interface CurvatureReport {
  readonly version: string;
  readonly model: {
    readonly file: string;
    /** Number of weights differentiated. */
    readonly parameters: number;
    readonly tensors: readonly {
      readonly name: string;
      readonly dims: readonly number[];
      readonly role: string;
      readonly layer: string;
      /** The kind of evidence that it is a weight; absent for a model that was not read from a file. */
      readonly evidence?: string;
      /** If false, the tensor could be a constant; see the notices. */
      readonly certain?: boolean;
    }[];
    /** Version of the ONNX operator set; absent for a model that was not read from a file. */
    readonly opset?: number;
    /** Changes to the graph that the reader should know: a Softmax cut off, rows computed one by one, ... */
    readonly notices: readonly string[];
  };
  readonly data: {
    readonly file: string;
    readonly rows: number;
    readonly batchSize: number;
    /** Ranges of inputs and targets; absent in files of earlier versions. */
    readonly summary?: DataSummary;
    /** Signs that the data are not those of the training, with their evidence. */
    readonly warnings?: readonly string[];
  };
  readonly loss: { readonly name: string; readonly reduction: "mean" | "sum"; readonly value: number };
  /** Share of rows whose largest output is the label, if targets are classes. */
  readonly accuracy?: number;
  readonly gradient: { readonly norm: number };
  readonly matrices: { readonly [name in MatrixName]?: ReportedMatrix };
  /** Matrices that equal one of `matrices` and were not computed again, with the evidence. */
  readonly equalMatrices?: readonly EqualMatrix[];
  /** Increase of the loss for each layer rounded alone. */
  readonly rounding?: LayerRounding;
  /** Curvature in units of the weights. */
  readonly relative?: RelativeCurvature;
  /** Structured approximations beside the matrix, if they were asked for. */
  readonly structured?: StructuredReport;
  /** The settings and the place of the run, as the caller states them, for example the command; shown as they are. */
  readonly provenance?: { readonly [entry: string]: string };
  /** True if the run was stopped before all matrices were finished. */
  readonly partial?: true;
  /** Relative distance of the Hessian from the Gauss-Newton matrix, ||H - G||_F / ||H||_F, if both were requested. */
  readonly residualShare?: Quantity;
  readonly seed: number;
  readonly dtype: "float32" | "float64";
  /** Largest size in bytes of kept residuals. Together with batch size, dtype and threads it determines the last bits of products. */
  readonly cache: number;
  /** Products spent on each matrix, and the seed; absent in files of earlier versions. */
  readonly budget?: MatrixPlan;
  /** Time in seconds of one gradient, the unit of cost, and of the whole report. */
  readonly secondsPerGradient: number;
  readonly seconds: number;
}
