#pragma once

#include "sinter/EmuPointers.h"

// The part of CUDA C++ that generated kernels use, for a host compiler.

#define __global__
#define __device__
#define __host__
#define __shared__ static
#define __constant__ static
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __align__(n) alignas(n)
#define __launch_bounds__(...)
#define __cluster_dims__(...)
#define __grid_constant__
#ifndef __restrict__
#define __restrict__ __restrict
#endif

struct uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) double2 {
  double x, y;
};
struct dim3 {
  unsigned x, y, z;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

#define threadIdx (sinterEmuHost->current->index)
#define blockIdx (sinterEmuHost->block)
#define blockDim (sinterEmuHost->blockSize)
#define gridDim (sinterEmuHost->gridSize)
static constexpr int warpSize = 32;

inline void __syncthreads(const char *file = __builtin_FILE(), int line = __builtin_LINE()) {
  sinterEmuHost->syncBlock(sinterEmuHost, file, line);
}
inline void __threadfence() {}
inline void __threadfence_block() {}
inline unsigned __activemask() { return sinterEmuHost->activeMask(sinterEmuHost); }

namespace sinter_emu {
template <class T> inline T warpValue(WarpKind kind, unsigned mask, T value, int argument,
                                      int width, const char *file, int line) {
  static_assert(sizeof(T) <= 8, "a shuffle moves at most 8 bytes");
  WarpRequest request{kind, mask, 0, argument, width, file, line, nullptr};
  memcpy(&request.value, &value, sizeof(T));
  unsigned long long result = sinterEmuHost->warp(sinterEmuHost, &request);
  memcpy(&value, &result, sizeof(T));
  return value;
}
/// An operation of a whole warp: Work::run(lanes) runs once, when each lane has brought its `mine`.
template <class Work, class Lane>
inline void together(Lane &mine, const char *file = __builtin_FILE(), int line = __builtin_LINE()) {
  WarpRequest request{
      WarpKind::together,
      0xffffffffu,
      reinterpret_cast<unsigned long long>(&mine),
      0,
      32,
      file,
      line,
      [](void *const *lanes) { Work::run(reinterpret_cast<Lane *const *>(lanes)); }};
  sinterEmuHost->warp(sinterEmuHost, &request);
}
} // namespace sinter_emu

#define SINTER_EMU_SHUFFLE(name, kind, Arg)                                                        \
  template <class T> inline T name(unsigned mask, T value, Arg argument, int width = 32,           \
                                   const char *file = __builtin_FILE(),                            \
                                   int line = __builtin_LINE()) {                                  \
    return sinter_emu::warpValue(sinter_emu::WarpKind::kind, mask, value,                          \
                                 static_cast<int>(argument), width, file, line);                   \
  }
SINTER_EMU_SHUFFLE(__shfl_sync, shuffle, int)
SINTER_EMU_SHUFFLE(__shfl_up_sync, shuffleUp, unsigned)
SINTER_EMU_SHUFFLE(__shfl_down_sync, shuffleDown, unsigned)
SINTER_EMU_SHUFFLE(__shfl_xor_sync, shuffleXor, int)
#undef SINTER_EMU_SHUFFLE
inline void __syncwarp(unsigned mask = 0xffffffffu, const char *file = __builtin_FILE(),
                       int line = __builtin_LINE()) {
  sinter_emu::warpValue(sinter_emu::WarpKind::sync, mask, 0u, 0, 32, file, line);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, const char *file = __builtin_FILE(),
                              int line = __builtin_LINE()) {
  return sinter_emu::warpValue(sinter_emu::WarpKind::ballot, mask, predicate != 0 ? 1u : 0u, 0, 32,
                               file, line);
}
inline int __any_sync(unsigned mask, int predicate, const char *file = __builtin_FILE(),
                      int line = __builtin_LINE()) {
  return sinter_emu::warpValue(sinter_emu::WarpKind::any, mask, predicate != 0 ? 1 : 0, 0, 32, file,
                               line);
}
inline int __all_sync(unsigned mask, int predicate, const char *file = __builtin_FILE(),
                      int line = __builtin_LINE()) {
  return sinter_emu::warpValue(sinter_emu::WarpKind::all, mask, predicate != 0 ? 1 : 0, 0, 32, file,
                               line);
}

// One thread of the operating system runs a launch, so an atomic is a plain read and write.
namespace sinter_emu {
template <class T> struct Same { using type = T; };
template <class T> using SameT = typename Same<T>::type;
} // namespace sinter_emu
#define SINTER_EMU_ATOMIC(name, expression)                                                        \
  template <class T> inline T name(T *p, sinter_emu::SameT<T> value) {                             \
    T old = *p;                                                                                    \
    *p = (expression);                                                                             \
    return old;                                                                                    \
  }                                                                                                \
  template <class T> inline T name(sinter_emu::Ptr<T> p, sinter_emu::SameT<T> value) {             \
    return name(&*p, value);                                                                       \
  }
SINTER_EMU_ATOMIC(atomicAdd, old + value)
SINTER_EMU_ATOMIC(atomicSub, old - value)
SINTER_EMU_ATOMIC(atomicMax, old > value ? old : value)
SINTER_EMU_ATOMIC(atomicMin, old < value ? old : value)
SINTER_EMU_ATOMIC(atomicExch, value)
SINTER_EMU_ATOMIC(atomicAnd, old &value)
SINTER_EMU_ATOMIC(atomicOr, old | value)
SINTER_EMU_ATOMIC(atomicXor, old ^ value)
#undef SINTER_EMU_ATOMIC
template <class T>
inline T atomicCAS(T *p, sinter_emu::SameT<T> compare, sinter_emu::SameT<T> value) {
  T old = *p;
  if (old == compare) *p = value;
  return old;
}
template <class T>
inline T atomicCAS(sinter_emu::Ptr<T> p, sinter_emu::SameT<T> compare, sinter_emu::SameT<T> value) {
  return atomicCAS(&*p, compare, value);
}
template <class T> inline sinter_emu::RemoveConst<T> __ldg(sinter_emu::Ptr<T> p) { return *p; }
template <class T> inline T __ldg(const T *p) { return *p; }

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz(static_cast<unsigned>(x)) : 32; }
inline int __clzll(long long x) {
  return x ? __builtin_clzll(static_cast<unsigned long long>(x)) : 64;
}
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>((static_cast<unsigned long long>(a) * b) >> 32);
}

#define SINTER_EMU_BITS(name, To, From)                                                            \
  inline To name(From from) {                                                                      \
    To to;                                                                                         \
    memcpy(&to, &from, sizeof(To));                                                                \
    return to;                                                                                     \
  }
SINTER_EMU_BITS(__float_as_uint, unsigned, float)
SINTER_EMU_BITS(__float_as_int, int, float)
SINTER_EMU_BITS(__uint_as_float, float, unsigned)
SINTER_EMU_BITS(__int_as_float, float, int)
SINTER_EMU_BITS(__double_as_longlong, long long, double)
SINTER_EMU_BITS(__longlong_as_double, double, long long)
#undef SINTER_EMU_BITS

// libm by its C names, and CUDA's overloads of the unsuffixed names for float.
#define SINTER_EMU_MATH1(name)                                                                     \
  extern "C" double name(double);                                                                  \
  extern "C" float name##f(float);                                                                 \
  inline float name(float x) { return name##f(x); }
#define SINTER_EMU_MATH2(name)                                                                     \
  extern "C" double name(double, double);                                                          \
  extern "C" float name##f(float, float);                                                          \
  inline float name(float x, float y) { return name##f(x, y); }
// A list of macros without semicolons never settles.
// clang-format off
SINTER_EMU_MATH1(exp) SINTER_EMU_MATH1(exp2) SINTER_EMU_MATH1(exp10) SINTER_EMU_MATH1(expm1)
SINTER_EMU_MATH1(log) SINTER_EMU_MATH1(log2) SINTER_EMU_MATH1(log10) SINTER_EMU_MATH1(log1p)
SINTER_EMU_MATH1(sqrt) SINTER_EMU_MATH1(cbrt) SINTER_EMU_MATH1(sin) SINTER_EMU_MATH1(cos)
SINTER_EMU_MATH1(tan) SINTER_EMU_MATH1(asin) SINTER_EMU_MATH1(acos) SINTER_EMU_MATH1(atan)
SINTER_EMU_MATH1(sinh) SINTER_EMU_MATH1(cosh) SINTER_EMU_MATH1(tanh) SINTER_EMU_MATH1(asinh)
SINTER_EMU_MATH1(acosh) SINTER_EMU_MATH1(atanh) SINTER_EMU_MATH1(erf) SINTER_EMU_MATH1(erfc)
SINTER_EMU_MATH1(lgamma) SINTER_EMU_MATH1(tgamma) SINTER_EMU_MATH1(floor) SINTER_EMU_MATH1(ceil)
SINTER_EMU_MATH1(trunc) SINTER_EMU_MATH1(rint) SINTER_EMU_MATH1(nearbyint)
SINTER_EMU_MATH1(round) SINTER_EMU_MATH1(fabs) SINTER_EMU_MATH2(pow) SINTER_EMU_MATH2(atan2)
SINTER_EMU_MATH2(fmod) SINTER_EMU_MATH2(hypot) SINTER_EMU_MATH2(copysign) SINTER_EMU_MATH2(fmax)
SINTER_EMU_MATH2(fmin) SINTER_EMU_MATH2(remainder) SINTER_EMU_MATH2(nextafter)
// clang-format on
#undef SINTER_EMU_MATH1
#undef SINTER_EMU_MATH2
                                                                extern "C" double fma(double,
                                                                                      double,
                                                                                      double);
extern "C" float fmaf(float, float, float);
inline float fma(float a, float b, float c) { return fmaf(a, b, c); }
inline float powif(float x, int n) { return static_cast<float>(__builtin_powi(x, n)); }

inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float __fmul_rn(float a, float b) { return a * b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline float rsqrtf(float x) { return static_cast<float>(1.0 / sqrt(static_cast<double>(x))); }
inline float rsqrt(float x) { return rsqrtf(x); }
inline double rcbrt(double x) { return 1.0 / cbrt(x); }
inline float rcbrtf(float x) { return static_cast<float>(1.0 / cbrt(static_cast<double>(x))); }
inline void sincosf(float x, float *s, float *c) { *s = sinf(x), *c = cosf(x); }
/// Giles, "Approximating the erfinv function" (GPU Computing Gems, 2011) for a start, then Halley.
inline double erfinv(double y) {
  if (!(y > -1 && y < 1))
    return y == 1 ? __builtin_inf() : y == -1 ? -__builtin_inf() : __builtin_nan("");
  double w = -log((1 - y) * (1 + y)), p;
  if (w < 5) {
    w -= 2.5;
    p = 1.50140941 +
        w * (0.246640727 + w * (-0.00417768164 + w * (-0.00125372503 + w * 0.00021858087)));
  } else {
    w = sqrt(w) - 3;
    p = 2.83297682 +
        w * (1.00167406 + w * (0.00943887047 + w * (-0.0076224613 + w * 0.00573950773)));
  }
  double x = p * y;
  for (int i = 0; i < 3; ++i) { // near 1 erf has no digits left, erfc has
    double error = x > 0.5 ? (1 - y) - erfc(x) : x < -0.5 ? erfc(-x) - (1 + y) : erf(x) - y;
    double step = error / (1.1283791670955126 * exp(-x * x));
    x -= step / (1 + x * step);
  }
  return x;
}
inline float erfinvf(float y) { return static_cast<float>(erfinv(static_cast<double>(y))); }
inline double erfcinv(double y) { return erfinv(1 - y); }
inline double normcdf(double x) { return 0.5 * erfc(-x * 0.7071067811865476); }
inline float normcdff(float x) { return static_cast<float>(normcdf(static_cast<double>(x))); }

inline bool isnan(float x) { return __builtin_isnan(x); }
inline bool isnan(double x) { return __builtin_isnan(x); }
inline bool isinf(float x) { return __builtin_isinf(x); }
inline bool isinf(double x) { return __builtin_isinf(x); }
inline bool isfinite(float x) { return __builtin_isfinite(x); }
inline bool isfinite(double x) { return __builtin_isfinite(x); }
inline bool signbit(float x) { return __builtin_signbit(x); }
inline bool signbit(double x) { return __builtin_signbit(x); }

#define SINTER_EMU_MINMAX(T)                                                                       \
  inline T min(T a, T b) { return a < b ? a : b; }                                                 \
  inline T max(T a, T b) { return a > b ? a : b; }
SINTER_EMU_MINMAX(int)
SINTER_EMU_MINMAX(unsigned)
SINTER_EMU_MINMAX(long long)
SINTER_EMU_MINMAX(unsigned long long)
#undef SINTER_EMU_MINMAX
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
extern "C" int abs(int);
