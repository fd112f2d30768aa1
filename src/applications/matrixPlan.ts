/** The number of products that a report spends on each matrix. */
export interface MatrixPlan {
  /** Probes for trace, Frobenius norm and layers. */
  readonly probes: number;
  /** Lanczos steps per probe of the spectral density. */
  readonly steps: number;
  readonly densityProbes: number;
  /** Eigenvalues at each end. */
  readonly eigenvalues: number;
  /** Largest number of products for the eigenvalues. */
  readonly eigenvalueProducts: number;
  readonly seed: number;
  /** Whether to form the dense matrix too. */
  readonly dense: boolean;
}
