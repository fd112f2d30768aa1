// Dense float64 kernels over Eigen 3.4 (https://eigen.tuxfamily.org, MPL-2.0), compiled to WebAssembly by scripts/buildWasm.sh.
// Matrices are column-major and dense. The caller allocates, passes sizes and finite values that it has checked, and frees.
#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <Eigen/QR>
#include <Eigen/SVD>
#include <cstdlib>

using Eigen::Map;
using Eigen::MatrixXd;
using Eigen::Ref;
using Eigen::VectorXd;
using EigenSolver = Eigen::SelfAdjointEigenSolver<MatrixXd>;

#define EXPORT(name) extern "C" __attribute__((export_name(name)))

// 0 where the memory cannot be had.
EXPORT("allocate") void* allocate(size_t bytes) { return std::malloc(bytes); }
EXPORT("release") void release(void* pointer) { std::free(pointer); }

static int copyOut(const EigenSolver& solver, int n, double* values, double* vectors) {
  Map<VectorXd>(values, n) = solver.eigenvalues();
  Map<MatrixXd>(vectors, n, n) = solver.eigenvectors();
  return solver.info() == Eigen::Success ? 0 : 1;
}

// Eigenvalues [n], ascending, and eigenvectors of the symmetric `a` [n, n], which they replace. Returns 1 without convergence, else 0.
EXPORT("eigh") int eigh(int n, double* a, double* values) {
  const EigenSolver solver(Map<MatrixXd>(a, n, n));
  return copyOut(solver, n, values, a);
}

// The same for the tridiagonal matrix of `diagonal` [n] and `subdiagonal` [n - 1].
EXPORT("tridiagonalEigh")
int tridiagonalEigh(int n, const double* diagonal, const double* subdiagonal, double* values, double* vectors) {
  EigenSolver solver;
  solver.computeFromTridiagonal(Map<const VectorXd>(diagonal, n), Map<const VectorXd>(subdiagonal, n - 1));
  return copyOut(solver, n, values, vectors);
}

// Lower factor in place of the lower triangle of `a` [n, n]. Returns -1, or the index of the first pivot that is not positive; the
// entries left of that pivot are then the factor's.
EXPORT("cholesky") int cholesky(int n, double* a) {
  Map<MatrixXd> map(a, n, n);
  return static_cast<int>(Eigen::internal::llt_inplace<double, Eigen::Lower>::blocked(map));
}

// X in place of `b` [n, columns], where L L' X = B.
EXPORT("choleskySolve") void choleskySolve(int n, int columns, const double* l, double* b) {
  const Map<const MatrixXd> factor(l, n, n);
  Map<MatrixXd> x(b, n, columns);
  factor.triangularView<Eigen::Lower>().solveInPlace(x);
  factor.transpose().triangularView<Eigen::Upper>().solveInPlace(x);
}

// Thin QR of `a` [rows, columns], which is overwritten, p = min(rows, columns): `q` [rows, p], `r` [p, columns].
EXPORT("qr") void qr(int rows, int columns, double* a, double* q, double* r) {
  const int p = rows < columns ? rows : columns;
  Map<MatrixXd> map(a, rows, columns);
  const Eigen::HouseholderQR<Ref<MatrixXd>> householder(map);
  Map<MatrixXd>(r, p, columns) = map.topRows(p).triangularView<Eigen::Upper>();
  Map<MatrixXd>(q, rows, p).setIdentity();
  Map<MatrixXd> thin(q, rows, p);
  thin.applyOnTheLeft(householder.householderQ());
}

// Thin SVD of `a` [rows, columns], p = min(rows, columns): `u` [rows, p], `values` [p] descending, `v` [columns, p]. Returns 1 without
// convergence, else 0.
EXPORT("svd") int svd(int rows, int columns, const double* a, double* u, double* values, double* v) {
  const int p = rows < columns ? rows : columns;
  const Eigen::BDCSVD<MatrixXd> solver(Map<const MatrixXd>(a, rows, columns), Eigen::ComputeThinU | Eigen::ComputeThinV);
  Map<MatrixXd>(u, rows, p) = solver.matrixU();
  Map<VectorXd>(values, p) = solver.singularValues();
  Map<MatrixXd>(v, columns, p) = solver.matrixV();
  return solver.info() == Eigen::Success ? 0 : 1;
}

// Real Schur form of `a` [n, n], which T replaces, with the orthogonal `vectors` [n, n]. Returns 1 without convergence, else 0.
EXPORT("realSchur") int realSchur(int n, double* a, double* vectors) {
  Map<MatrixXd> map(a, n, n);
  const Eigen::RealSchur<MatrixXd> solver(map);
  if (solver.info() != Eigen::Success) return 1;
  map = solver.matrixT();
  Map<MatrixXd>(vectors, n, n) = solver.matrixU();
  return 0;
}

// Eigenvalues of `a` [n, n] and its eigenvectors, which replace it: of a conjugate pair, real and imaginary part in two columns. Returns 1
// without convergence, else 0.
EXPORT("eig") int eig(int n, double* a, double* real, double* imaginary) {
  Map<MatrixXd> map(a, n, n);
  const Eigen::EigenSolver<MatrixXd> solver(map);
  if (solver.info() != Eigen::Success) return 1;
  Map<VectorXd>(real, n) = solver.eigenvalues().real();
  Map<VectorXd>(imaginary, n) = solver.eigenvalues().imag();
  map = solver.pseudoEigenvectors();
  return 0;
}
