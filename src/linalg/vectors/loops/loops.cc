// Loops over blocks of vectors, compiled to WebAssembly with SIMD by scripts/buildWasm.sh. Vectors are float32 (…32) or float64 (…64).
// Sums of products are accumulated in float64; a scaled sum of float32 vectors is computed in float32, as BLAS does.
typedef double Pair __attribute__((vector_size(16)));
typedef float HalfQuad __attribute__((vector_size(8)));
typedef float Quad __attribute__((vector_size(16)));

#define EXPORT(name) extern "C" __attribute__((export_name(name)))

// Where the caller puts blocks: each has room for LENGTH entries of either kind. `length` and `buffer` tell it.
static const int LENGTH = 4096;
static const int BUFFERS = 10;
static double buffers[BUFFERS][LENGTH];
EXPORT("length") int length() { return LENGTH; }
EXPORT("buffer") double* buffer(int index) { return buffers[index]; }

// Two entries in float64, and as many entries as a register holds in their own kind.
static inline Pair pair(const double* x) { return *(const Pair*)x; }
static inline Pair pair(const float* x) { return __builtin_convertvector(*(const HalfQuad*)x, Pair); }
template <typename T> struct Register;
template <> struct Register<float> { typedef Quad type; static Quad all(float a) { return Quad{a, a, a, a}; } };
template <> struct Register<double> { typedef Pair type; static Pair all(double a) { return Pair{a, a}; } };

static inline double total(Pair a) { return a[0] + a[1]; }

// x' y
template <typename T> static double dot(int n, const T* x, const T* y) {
  Pair s0 = {0, 0}, s1 = s0, s2 = s0, s3 = s0;
  int i = 0;
  for (; i + 8 <= n; i += 8) {
    s0 += pair(x + i) * pair(y + i);
    s1 += pair(x + i + 2) * pair(y + i + 2);
    s2 += pair(x + i + 4) * pair(y + i + 4);
    s3 += pair(x + i + 6) * pair(y + i + 6);
  }
  double rest = 0;
  for (; i < n; i++) rest += (double)x[i] * (double)y[i];
  return total((s0 + s1) + (s2 + s3)) + rest;
}

// x' x, x' y and y' y in one pass, into `sums`.
template <typename T> static void innerProducts(int n, const T* x, const T* y, double* sums) {
  Pair xx[2] = {}, xy[2] = {}, yy[2] = {};
  int i = 0;
  for (; i + 4 <= n; i += 4) {
    for (int k = 0; k < 2; k++) {
      const Pair a = pair(x + i + 2 * k), b = pair(y + i + 2 * k);
      xx[k] += a * a;
      xy[k] += a * b;
      yy[k] += b * b;
    }
  }
  double rest[3] = {0, 0, 0};
  for (; i < n; i++) {
    const double a = x[i], b = y[i];
    rest[0] += a * a;
    rest[1] += a * b;
    rest[2] += b * b;
  }
  sums[0] = total(xx[0] + xx[1]) + rest[0];
  sums[1] = total(xy[0] + xy[1]) + rest[1];
  sums[2] = total(yy[0] + yy[1]) + rest[2];
}

// out = a x + b y; out may be x or y.
template <typename T> static void combination(int n, T a, const T* x, T b, const T* y, T* out) {
  typedef typename Register<T>::type R;
  const int width = sizeof(R) / sizeof(T);
  const R as = Register<T>::all(a), bs = Register<T>::all(b);
  int i = 0;
  for (; i + width <= n; i += width) *(R*)(out + i) = as * *(const R*)(x + i) + bs * *(const R*)(y + i);
  for (; i < n; i++) out[i] = a * x[i] + b * y[i];
}

// The same, and out' out.
template <typename T> static double combinationSquared(int n, T a, const T* x, T b, const T* y, T* out) {
  combination(n, a, x, b, y, out);
  return dot(n, out, out);
}

// y += a x
template <typename T> static void axpy(int n, T a, const T* x, T* y) {
  typedef typename Register<T>::type R;
  const int width = sizeof(R) / sizeof(T);
  const R as = Register<T>::all(a);
  int i = 0;
  for (; i + width <= n; i += width) *(R*)(y + i) += as * *(const R*)(x + i);
  for (; i < n; i++) y[i] += a * x[i];
}

// (sum, rest) += x for an unevaluated sum of two numbers, rest below half a unit in the last place of sum (Knuth, 1969; Dekker, 1971).
template <typename T> static void addCompensated(int n, const T* x, T* sum, T* rest) {
  typedef typename Register<T>::type R;
  const int width = sizeof(R) / sizeof(T);
  int i = 0;
  for (; i + width <= n; i += width) {
    const R a = *(const R*)(sum + i), b = *(const R*)(x + i), s = a + b, bPart = s - a;
    const R tail = *(const R*)(rest + i) + ((a - (s - bPart)) + (b - bPart)), high = s + tail;
    *(R*)(sum + i) = high;
    *(R*)(rest + i) = tail - (high - s);
  }
  for (; i < n; i++) {
    const T a = sum[i], b = x[i], s = a + b, bPart = s - a;
    const T tail = rest[i] + ((a - (s - bPart)) + (b - bPart)), high = s + tail;
    sum[i] = high;
    rest[i] = tail - (high - s);
  }
}

// x *= a
template <typename T> static void scal(int n, T a, T* x) {
  typedef typename Register<T>::type R;
  const int width = sizeof(R) / sizeof(T);
  const R as = Register<T>::all(a);
  int i = 0;
  for (; i + width <= n; i += width) *(R*)(x + i) *= as;
  for (; i < n; i++) x[i] *= a;
}

// Zero, or NaN where an entry is infinite or NaN, since 0 times it is NaN.
template <typename T> static double zeroIfFinite(int n, const T* x) {
  typedef typename Register<T>::type R;
  const int width = sizeof(R) / sizeof(T);
  const R zero = Register<T>::all(0);
  R s0 = zero, s1 = zero;
  int i = 0;
  for (; i + 2 * width <= n; i += 2 * width) {
    s0 += *(const R*)(x + i) * zero;
    s1 += *(const R*)(x + i + width) * zero;
  }
  double rest = 0;
  for (; i < n; i++) rest += (double)x[i] * 0.0;
  s0 += s1;
  for (int k = 0; k < width; k++) rest += s0[k];
  return rest;
}

// sums[j] += q_j' v for `columns` vectors q_j, each in a buffer of its own from q on.
template <typename T> static void project(int n, int columns, const T* q, const T* v, double* sums) {
  const long stride = LENGTH * sizeof(double) / sizeof(T);
  int j = 0;
  for (; j + 4 <= columns; j += 4) {
    const T *q0 = q + j * stride, *q1 = q0 + stride, *q2 = q1 + stride, *q3 = q2 + stride;
    Pair s0 = {0, 0}, s1 = s0, s2 = s0, s3 = s0;
    int i = 0;
    for (; i + 2 <= n; i += 2) {
      const Pair x = pair(v + i);
      s0 += pair(q0 + i) * x;
      s1 += pair(q1 + i) * x;
      s2 += pair(q2 + i) * x;
      s3 += pair(q3 + i) * x;
    }
    double last = i < n ? v[i] : 0;
    sums[j] += total(s0) + (i < n ? q0[i] * last : 0);
    sums[j + 1] += total(s1) + (i < n ? q1[i] * last : 0);
    sums[j + 2] += total(s2) + (i < n ? q2[i] * last : 0);
    sums[j + 3] += total(s3) + (i < n ? q3[i] * last : 0);
  }
  for (; j < columns; j++) sums[j] += dot(n, q + j * stride, v);
}

// target += sum_j c_j q_j for `columns` vectors q_j, each in a buffer of its own from q on.
template <typename T> static void accumulate(int n, int columns, const T* q, const double* c, double* target) {
  const long stride = LENGTH * sizeof(double) / sizeof(T);
  int j = 0;
  for (; j + 4 <= columns; j += 4) {
    const T *q0 = q + j * stride, *q1 = q0 + stride, *q2 = q1 + stride, *q3 = q2 + stride;
    const Pair c0 = {c[j], c[j]}, c1 = {c[j + 1], c[j + 1]}, c2 = {c[j + 2], c[j + 2]}, c3 = {c[j + 3], c[j + 3]};
    int i = 0;
    for (; i + 2 <= n; i += 2) {
      *(Pair*)(target + i) += (c0 * pair(q0 + i) + c1 * pair(q1 + i)) + (c2 * pair(q2 + i) + c3 * pair(q3 + i));
    }
    for (; i < n; i++) target[i] += (c[j] * q0[i] + c[j + 1] * q1[i]) + (c[j + 2] * q2[i] + c[j + 3] * q3[i]);
  }
  for (; j < columns; j++) {
    const T* q0 = q + j * stride;
    for (int i = 0; i < n; i++) target[i] += c[j] * q0[i];
  }
}

#define LOOPS(T, KIND)                                                                                                      \
  EXPORT("dot" #KIND) double dot##KIND(int n, const T* x, const T* y) { return dot(n, x, y); }                              \
  EXPORT("innerProducts" #KIND)                                                                                             \
  void innerProducts##KIND(int n, const T* x, const T* y, double* sums) { innerProducts(n, x, y, sums); }                   \
  EXPORT("combination" #KIND)                                                                                               \
  void combination##KIND(int n, double a, const T* x, double b, const T* y, T* out) { combination<T>(n, a, x, b, y, out); } \
  EXPORT("combinationSquared" #KIND)                                                                                        \
  double combinationSquared##KIND(int n, double a, const T* x, double b, const T* y, T* out) {                              \
    return combinationSquared<T>(n, a, x, b, y, out);                                                                       \
  }                                                                                                                         \
  EXPORT("axpy" #KIND) void axpy##KIND(int n, double a, const T* x, T* y) { axpy<T>(n, a, x, y); }                          \
  EXPORT("addCompensated" #KIND) void addCompensated##KIND(int n, const T* x, T* s, T* r) { addCompensated(n, x, s, r); }       \
  EXPORT("scal" #KIND) void scal##KIND(int n, double a, T* x) { scal<T>(n, a, x); }                                         \
  EXPORT("zeroIfFinite" #KIND) double zeroIfFinite##KIND(int n, const T* x) { return zeroIfFinite(n, x); }                  \
  EXPORT("project" #KIND)                                                                                                   \
  void project##KIND(int n, int k, const T* q, const T* v, double* sums) { project(n, k, q, v, sums); }                     \
  EXPORT("accumulate" #KIND)                                                                                                \
  void accumulate##KIND(int n, int k, const T* q, const double* c, double* target) { accumulate(n, k, q, c, target); }

LOOPS(float, 32)
LOOPS(double, 64)
