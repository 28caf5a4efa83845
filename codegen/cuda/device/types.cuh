#pragma once

// Types, pointers and shared memory of generated kernels. NVRTC brings no integer or half types of
// its own, and the emulated device needs pointers that check: both meet in the macros below.

#ifdef SINTER_EMULATION
#define SINTER_GLOBAL(T) ::sinter_emu::Ptr<T>
#define SINTER_GLOBAL_CONST(T) ::sinter_emu::Ptr<const T>
#define SINTER_SHARED_PTR(T) ::sinter_emu::Ptr<T>
#define SINTER_SHARED(T, name, N) SINTER_EMU_SHARED(T, name, N)
#define SINTER_SHARED_2D(T, name, R, C) SINTER_EMU_SHARED_2D(T, name, R, C)
#define SINTER_SHARED_PART(T, name, whole, offset, N) SINTER_EMU_SHARED_PART(T, name, whole, offset, N)
#define SINTER_DYNAMIC_SHARED(T, name) SINTER_EMU_DYNAMIC_SHARED(T, name)
#else
/// A pointer parameter that the kernel may write; it aliases no other parameter.
#define SINTER_GLOBAL(T) T *__restrict__
/// A pointer parameter that the kernel only reads.
#define SINTER_GLOBAL_CONST(T) const T *__restrict__
/// A pointer into shared memory, for parameters of device functions.
#define SINTER_SHARED_PTR(T) T *
// Byte arrays underneath: types with constructors cannot be __shared__ variables themselves.
#define SINTER_SHARED(T, name, N)                                                                  \
  __shared__ __align__(16) unsigned char name##Bytes[sizeof(T) * (N)];                             \
  T *const name = reinterpret_cast<T *>(name##Bytes)
#define SINTER_SHARED_2D(T, name, R, C)                                                            \
  __shared__ __align__(16) unsigned char name##Bytes[sizeof(T) * (R) * (C)];                       \
  T(*const name)[C] = reinterpret_cast<T(*)[C]>(name##Bytes)
/// N elements inside a shared array, from its element `offset` on.
#define SINTER_SHARED_PART(T, name, whole, offset, N)                                              \
  T *const name = reinterpret_cast<T *>((whole) + (offset))
#define SINTER_DYNAMIC_SHARED(T, name)                                                             \
  extern __shared__ __align__(1024) unsigned char sinterDynamicShared[];                            \
  T *const name = reinterpret_cast<T *>(sinterDynamicShared)
#endif

#define SINTER_DEVICE static __device__ __forceinline__

namespace sinter {

using i1 = bool;
using i8 = signed char;
using i16 = short;
using i32 = int;
using i64 = long long;
using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;
using f32 = float;
using f64 = double;

/// The bits of `from` as another type of the same size.
template <class To, class From> SINTER_DEVICE To bitCast(From from) {
  static_assert(sizeof(To) == sizeof(From), "bitCast keeps the size");
  To to;
  memcpy(&to, &from, sizeof(To));
  return to;
}

#ifdef SINTER_EMULATION
template <class To, class From>
SINTER_DEVICE ::sinter_emu::Ptr<To> castPtr(::sinter_emu::Ptr<From> p) {
  return p.template as<To>();
}
template <class T> SINTER_DEVICE ::sinter_emu::Ptr<T> aligned(::sinter_emu::Ptr<T> p) {
  if (p.region) p.checked(0, 16);
  return p;
}
#else
/// A pointer to other elements at the same address, as `reinterpret_cast`.
template <class To, class From> SINTER_DEVICE To *castPtr(From *p) {
  return reinterpret_cast<To *>(p);
}
/// `p`, with the promise that it is a multiple of 16 bytes: neighbours then travel in one instruction.
template <class T> SINTER_DEVICE T *aligned(T *p) {
  return static_cast<T *>(__builtin_assume_aligned(p, 16));
}
#endif

SINTER_DEVICE u16 bf16BitsOf(f32 x) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  u16 bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
#else
  u32 bits = bitCast<u32>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u)
    return static_cast<u16>((bits >> 16) | 0x0040u); // NaN stays one even when its payload is cut
  return static_cast<u16>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
#endif
}
SINTER_DEVICE f32 bf16ToFloat(u16 bits) { return bitCast<f32>(static_cast<u32>(bits) << 16); }

SINTER_DEVICE u16 f16BitsOf(f32 x) {
#ifdef __CUDA_ARCH__
  u16 bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
  return bits;
#else
  u32 bits = bitCast<u32>(x), sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) // NaN: quiet, payload cut
    return static_cast<u16>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
  if (magnitude >= 0x477ff000u) // 65520 and above round to infinity
    return static_cast<u16>(sign | 0x7c00u);
  if (magnitude <
      0x38800000u) { // subnormal: adding 0.5 leaves the rounded mantissa in the low bits
    f32 shifted = bitCast<f32>(magnitude) + 0.5f;
    return static_cast<u16>(sign | (bitCast<u32>(shifted) - 0x3f000000u));
  }
  u32 rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
  return static_cast<u16>(sign | ((rounded - 0x38000000u) >> 13));
#endif
}
SINTER_DEVICE f32 f16ToFloat(u16 bits) {
#ifdef __CUDA_ARCH__
  f32 x;
  asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
  return x;
#else
  u32 sign = (bits & 0x8000u) << 16, exponent = (bits >> 10) & 0x1fu, mantissa = bits & 0x3ffu;
  if (exponent == 0x1fu)
    return bitCast<f32>(sign | 0x7f800000u | (mantissa << 13) | (mantissa ? 0x400000u : 0u));
  if (exponent == 0) {
    f32 value = static_cast<f32>(mantissa) * 5.9604644775390625e-8f; // 2^-24
    return bitCast<f32>(bitCast<u32>(value) | sign);
  }
  return bitCast<f32>(sign | ((exponent + 112u) << 23) | (mantissa << 13));
#endif
}

/// bfloat16: f32's upper half. Arithmetic is done in f32; a value of this type is a rounded one.
/// Trivial, so that it may live in shared memory and unions.
struct __align__(2) bf16 {
  u16 bits;
  bf16() = default;
  __device__ __forceinline__ explicit bf16(f32 x) : bits(bf16BitsOf(x)) {}
  __device__ __forceinline__ explicit bf16(f64 x) : bits(bf16BitsOf(static_cast<f32>(x))) {}
  __device__ __forceinline__ explicit bf16(i32 x) : bits(bf16BitsOf(static_cast<f32>(x))) {}
  __device__ __forceinline__ operator f32() const { return bf16ToFloat(bits); }
};

/// IEEE binary16, as bf16 in all else.
struct __align__(2) f16 {
  u16 bits;
  f16() = default;
  __device__ __forceinline__ explicit f16(f32 x) : bits(f16BitsOf(x)) {}
  __device__ __forceinline__ explicit f16(f64 x) : bits(f16BitsOf(static_cast<f32>(x))) {}
  __device__ __forceinline__ explicit f16(i32 x) : bits(f16BitsOf(static_cast<f32>(x))) {}
  __device__ __forceinline__ operator f32() const { return f16ToFloat(bits); }
};

/// N elements that are loaded and stored as one word of up to 16 bytes.
template <class T, int N> struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) Vec {
  T v[N];
  __device__ __forceinline__ T &operator[](int i) { return v[i]; }
  __device__ __forceinline__ const T &operator[](int i) const { return v[i]; }
};

struct u32x4 {
  u32 v[4];
  __device__ __forceinline__ u32 &operator[](int i) { return v[i]; }
  __device__ __forceinline__ const u32 &operator[](int i) const { return v[i]; }
};

template <class T> struct IsFloat { static constexpr bool value = false; };
template <> struct IsFloat<f32> { static constexpr bool value = true; };
template <> struct IsFloat<f64> { static constexpr bool value = true; };
template <> struct IsFloat<bf16> { static constexpr bool value = true; };
template <> struct IsFloat<f16> { static constexpr bool value = true; };

/// The type that arithmetic on T is done in: f32 for bf16 and f16, else T.
template <class T> struct ComputeType { using type = T; };
template <> struct ComputeType<bf16> { using type = f32; };
template <> struct ComputeType<f16> { using type = f32; };

} // namespace sinter

using namespace sinter;
