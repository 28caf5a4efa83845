#pragma once

#include "sinter/types.cuh"

// Scalar functions whose corners CUDA leaves open or answers otherwise than Sinter does.

namespace sinter {

template <class T> struct Limits;
template <> struct Limits<i8> { static constexpr i64 min = -128, max = 127; };
template <> struct Limits<i16> { static constexpr i64 min = -32768, max = 32767; };
template <> struct Limits<i32> { static constexpr i64 min = -2147483647 - 1, max = 2147483647; };
template <> struct Limits<i64> {
  static constexpr i64 min = -9223372036854775807LL - 1, max = 9223372036854775807LL;
};
template <> struct Limits<u8> { static constexpr i64 min = 0, max = 255; };
template <> struct Limits<u16> { static constexpr i64 min = 0, max = 65535; };
template <> struct Limits<u32> { static constexpr i64 min = 0, max = 4294967295LL; };

template <class T> SINTER_DEVICE bool isNan(T x) { return false; }
template <> __device__ __forceinline__ bool isNan(f32 x) {
  return (bitCast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}
template <> __device__ __forceinline__ bool isNan(f64 x) {
  return (bitCast<u64>(x) & 0x7fffffffffffffffull) > 0x7ff0000000000000ull;
}
template <> __device__ __forceinline__ bool isNan(bf16 x) { return (x.bits & 0x7fffu) > 0x7f80u; }
template <> __device__ __forceinline__ bool isNan(f16 x) { return (x.bits & 0x7fffu) > 0x7c00u; }

template <class T> SINTER_DEVICE bool isInf(T x) { return false; }
template <> __device__ __forceinline__ bool isInf(f32 x) {
  return (bitCast<u32>(x) & 0x7fffffffu) == 0x7f800000u;
}
template <> __device__ __forceinline__ bool isInf(f64 x) {
  return (bitCast<u64>(x) & 0x7fffffffffffffffull) == 0x7ff0000000000000ull;
}
template <> __device__ __forceinline__ bool isInf(bf16 x) { return (x.bits & 0x7fffu) == 0x7f80u; }
template <> __device__ __forceinline__ bool isInf(f16 x) { return (x.bits & 0x7fffu) == 0x7c00u; }

template <class T> SINTER_DEVICE bool isFinite(T x) { return !isNan(x) && !isInf(x); }

template <class T> SINTER_DEVICE bool signBit(T x) { return x < T(0); }
template <> __device__ __forceinline__ bool signBit(f32 x) { return bitCast<u32>(x) >> 31; }
template <> __device__ __forceinline__ bool signBit(f64 x) { return bitCast<u64>(x) >> 63; }

/// float to integer: truncates, saturates, NaN is 0. 2^63 and 2^31 are exact in both float types,
/// so comparing against max + 1 and min decides before a conversion that C++ leaves undefined.
template <class To, class From> SINTER_DEVICE To floatToInt(From x) {
  constexpr From low = static_cast<From>(Limits<To>::min);
  constexpr From high = static_cast<From>(static_cast<f64>(Limits<To>::max / 2 + 1) * 2.0);
  if (isNan(x)) return To(0);
  if (x <= low) return static_cast<To>(Limits<To>::min);
  if (x >= high) return static_cast<To>(Limits<To>::max);
  return static_cast<To>(x);
}

template <class To, class From> struct Cast {
  SINTER_DEVICE To apply(From x) {
    using Wide = typename ComputeType<From>::type;
    if constexpr (IsFloat<To>::value)
      return To(static_cast<typename ComputeType<To>::type>(static_cast<Wide>(x)));
    else if constexpr (IsFloat<From>::value)
      return floatToInt<To>(static_cast<Wide>(x));
    else
      return static_cast<To>(x);
  }
};
template <class From> struct Cast<i1, From> {
  SINTER_DEVICE i1 apply(From x) { return static_cast<typename ComputeType<From>::type>(x) != 0; }
};
template <class T> struct Cast<T, T> {
  SINTER_DEVICE T apply(T x) { return x; }
};
template <> struct Cast<i1, i1> {
  SINTER_DEVICE i1 apply(i1 x) { return x; }
};

/// Converts between element types; see the README for the corners.
template <class To, class From> SINTER_DEVICE To castTo(From x) { return Cast<To, From>::apply(x); }

/// The larger one; NaN if either is NaN; +0 over -0, so that the order of a tree cannot show.
template <class T> SINTER_DEVICE T maximum(T a, T b) { return a > b ? a : b; }
template <> __device__ __forceinline__ f32 maximum(f32 a, f32 b) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  f32 r;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b));
  return r;
#else
  return isNan(a) ? a : isNan(b) ? b : a > b ? a : a < b ? b : signBit(a) ? b : a;
#endif
}
template <> __device__ __forceinline__ f64 maximum(f64 a, f64 b) {
  return isNan(a) ? a : isNan(b) ? b : a > b ? a : a < b ? b : signBit(a) ? b : a;
}
template <> __device__ __forceinline__ bf16 maximum(bf16 a, bf16 b) {
  return bf16(maximum(f32(a), f32(b)));
}
template <> __device__ __forceinline__ f16 maximum(f16 a, f16 b) {
  return f16(maximum(f32(a), f32(b)));
}

/// The smaller one; NaN if either is NaN; -0 over +0.
template <class T> SINTER_DEVICE T minimum(T a, T b) { return a < b ? a : b; }
template <> __device__ __forceinline__ f32 minimum(f32 a, f32 b) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  f32 r;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(r) : "f"(a), "f"(b));
  return r;
#else
  return isNan(a) ? a : isNan(b) ? b : a < b ? a : a > b ? b : signBit(a) ? a : b;
#endif
}
template <> __device__ __forceinline__ f64 minimum(f64 a, f64 b) {
  return isNan(a) ? a : isNan(b) ? b : a < b ? a : a > b ? b : signBit(a) ? a : b;
}
template <> __device__ __forceinline__ bf16 minimum(bf16 a, bf16 b) {
  return bf16(minimum(f32(a), f32(b)));
}
template <> __device__ __forceinline__ f16 minimum(f16 a, f16 b) {
  return f16(minimum(f32(a), f32(b)));
}

/// -1, 0 or 1 by sign; NaN stays NaN.
template <class T> SINTER_DEVICE T signOf(T x) { return x > T(0) ? T(1) : x < T(0) ? T(-1) : x; }
template <class T> SINTER_DEVICE T absolute(T x) { return x < T(0) ? T(0) - x : x; }
template <> __device__ __forceinline__ f32 absolute(f32 x) { return fabsf(x); }
template <> __device__ __forceinline__ f64 absolute(f64 x) { return fabs(x); }

SINTER_DEVICE f32 sigmoid(f32 x) { return 1.0f / (1.0f + expf(-x)); }
SINTER_DEVICE f64 sigmoid(f64 x) { return 1.0 / (1.0 + exp(-x)); }

template <class T> struct UnsignedOf { using type = T; };
template <> struct UnsignedOf<i1> { using type = u8; };
template <> struct UnsignedOf<i8> { using type = u8; };
template <> struct UnsignedOf<i16> { using type = u16; };
template <> struct UnsignedOf<i32> { using type = u32; };
template <> struct UnsignedOf<i64> { using type = u64; };

// Integers wrap: signed overflow is undefined in C++, so the work is done unsigned.
template <class T> SINTER_DEVICE T addWrap(T a, T b) {
  using U = typename UnsignedOf<T>::type;
  return static_cast<T>(static_cast<U>(static_cast<U>(a) + static_cast<U>(b)));
}
template <class T> SINTER_DEVICE T subWrap(T a, T b) {
  using U = typename UnsignedOf<T>::type;
  return static_cast<T>(static_cast<U>(static_cast<U>(a) - static_cast<U>(b)));
}
template <class T> SINTER_DEVICE T mulWrap(T a, T b) {
  using U = typename UnsignedOf<T>::type; // u16 * u16 would promote to a signed product
  return static_cast<T>(static_cast<U>(static_cast<u64>(static_cast<U>(a)) * static_cast<U>(b)));
}

/// Division that never traps: a zero divisor counts as 1, and MIN / -1 wraps to MIN.
template <class T> SINTER_DEVICE T truncDiv(T a, T b) {
  if (b == T(-1) && T(-1) < T(0)) return subWrap(T(0), a);
  return static_cast<T>(a / (b == T(0) ? T(1) : b));
}
template <class T> SINTER_DEVICE T truncRem(T a, T b) {
  if (b == T(-1) && T(-1) < T(0)) return T(0);
  return static_cast<T>(a % (b == T(0) ? T(1) : b));
}
/// Rounds towards minus infinity, as Python's `//`.
template <class T> SINTER_DEVICE T floorDiv(T a, T b) {
  T q = truncDiv(a, b), r = truncRem(a, b);
  return (r != T(0) && ((r < T(0)) != (b < T(0)))) ? static_cast<T>(q - T(1)) : q;
}
/// Has the divisor's sign, as Python's `%`.
template <class T> SINTER_DEVICE T floorRem(T a, T b) {
  T r = truncRem(a, b);
  return (r != T(0) && ((r < T(0)) != (b < T(0)))) ? static_cast<T>(r + b) : r;
}
template <> __device__ __forceinline__ f32 floorDiv(f32 a, f32 b) { return floorf(a / b); }
template <> __device__ __forceinline__ f64 floorDiv(f64 a, f64 b) { return floor(a / b); }
template <> __device__ __forceinline__ f32 floorRem(f32 a, f32 b) {
  f32 r = fmodf(a, b);
  return (r != 0.0f && ((r < 0.0f) != (b < 0.0f))) ? r + b : r;
}
template <> __device__ __forceinline__ f64 floorRem(f64 a, f64 b) {
  f64 r = fmod(a, b);
  return (r != 0.0 && ((r < 0.0) != (b < 0.0))) ? r + b : r;
}
template <class T> SINTER_DEVICE T ceilDiv(T a, T b) {
  T q = truncDiv(a, b), r = truncRem(a, b);
  return (r != T(0) && ((r < T(0)) == (b < T(0)))) ? static_cast<T>(q + T(1)) : q;
}

/// Shifts by the type's width or more give 0 (or the sign), as no C++ shift does.
template <class T> SINTER_DEVICE T shiftLeft(T a, T n) {
  using U = typename UnsignedOf<T>::type;
  return static_cast<U>(n) >= sizeof(T) * 8
             ? T(0)
             : static_cast<T>(static_cast<U>(a) << static_cast<U>(n));
}
template <class T> SINTER_DEVICE T shiftRight(T a, T n) {
  using U = typename UnsignedOf<T>::type;
  return static_cast<U>(n) >= sizeof(T) * 8 ? (a < T(0) ? T(-1) : T(0)) : static_cast<T>(a >> n);
}
template <class T> SINTER_DEVICE T shiftRightLogical(T a, T n) {
  using U = typename UnsignedOf<T>::type;
  return static_cast<U>(n) >= sizeof(T) * 8
             ? T(0)
             : static_cast<T>(static_cast<U>(a) >> static_cast<U>(n));
}

} // namespace sinter
