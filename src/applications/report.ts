import type { MatrixName, MatrixWords } from "./reportedMatrices.ts";

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
  readonly data: { readonly file: string; readonly rows: number; readonly batchSize: number };
  readonly loss: { readonly name: string; readonly reduction: "mean" | "sum"; readonly value: number };
  /** Share of rows whose largest output is the label, if targets are classes. */
  readonly accuracy?: number;
  readonly gradient: { readonly norm: number };
  readonly matrices: { readonly [name in MatrixName]?: ReportedMatrix };
  /** Relative distance of the Hessian from the Gauss-Newton matrix, ||H - G||_F / ||H||_F, if both were requested. */
  readonly residualShare?: Quantity;
  readonly seed: number;
  readonly dtype: "float32" | "float64";
  /** Largest size in bytes of kept residuals. Together with batch size, dtype and threads it determines the last bits of products. */
  readonly cache: number;
  /** Time in seconds of one gradient, the unit of cost, and of the whole report. */
  readonly secondsPerGradient: number;
  readonly seconds: number;
}
