// Dense float64 kernels over Eigen 3.4 (https://eigen.tuxfamily.org, MPL-2.0), compiled to WebAssembly by scripts/buildDense.sh.
// Matrices are column-major and dense. The caller allocates, passes sizes and finite values that it has checked, and frees.
#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <Eigen/QR>
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
