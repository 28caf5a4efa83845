#pragma once

#include "sinter/types.cuh"

// Loads and stores of several elements at once. `i` counts elements of the pointer's type.

namespace sinter {

#ifdef SINTER_EMULATION

template <int N, class T>
SINTER_DEVICE Vec<sinter_emu::RemoveConst<T>, N> loadVec(sinter_emu::Ptr<T> p, i64 i) {
  Vec<sinter_emu::RemoveConst<T>, N> v;
  p.readWords(i, &v, N, alignof(Vec<sinter_emu::RemoveConst<T>, N>));
  return v;
}
template <int N, class T>
SINTER_DEVICE void storeVec(sinter_emu::Ptr<T> p, i64 i, const Vec<T, N> &v) {
  p.writeWords(i, &v, N, alignof(Vec<T, N>));
}
// A thread's own arrays.
template <int N, class T> SINTER_DEVICE Vec<T, N> loadVec(const T *p, i64 i) {
  Vec<T, N> v;
  memcpy(&v, p + i, sizeof(v));
  return v;
}
template <int N, class T> SINTER_DEVICE void storeVec(T *p, i64 i, const Vec<T, N> &v) {
  memcpy(p + i, &v, sizeof(v));
}
template <class T> SINTER_DEVICE sinter_emu::RemoveConst<T> loadOnce(sinter_emu::Ptr<T> p, i64 i) {
  return p[i];
}
template <class T> SINTER_DEVICE void storeOnce(sinter_emu::Ptr<T> p, i64 i, T x) { p[i] = x; }

#else

template <int Bytes> struct WordOf;
template <> struct WordOf<1> { using type = u8; };
template <> struct WordOf<2> { using type = u16; };
template <> struct WordOf<4> { using type = u32; };
template <> struct WordOf<8> { using type = uint2; };
template <> struct WordOf<16> { using type = uint4; };

template <class T> struct WithoutConst { using type = T; };
template <class T> struct WithoutConst<const T> { using type = T; };

/// N consecutive elements from element i, in words of up to 16 bytes; the address is aligned to
/// min(16, N * sizeof(T)) bytes.
template <int N, class T>
SINTER_DEVICE Vec<typename WithoutConst<T>::type, N> loadVec(T *p, i64 i) {
  using Element = typename WithoutConst<T>::type;
  constexpr int bytes = N * sizeof(T), word = bytes < 16 ? bytes : 16;
  static_assert(bytes % word == 0, "a vector is 1, 2, 4, 8 or a multiple of 16 bytes");
  using Word = typename WordOf<word>::type;
  union Both {
    Vec<Element, N> v;
    Word w[bytes / word];
    __device__ Both() {}
  } both;
#pragma unroll
  for (int k = 0; k < bytes / word; ++k) both.w[k] = reinterpret_cast<const Word *>(p + i)[k];
  return both.v;
}
template <int N, class T> SINTER_DEVICE void storeVec(T *p, i64 i, const Vec<T, N> &v) {
  constexpr int bytes = N * sizeof(T), word = bytes < 16 ? bytes : 16;
  using Word = typename WordOf<word>::type;
  union Both {
    Vec<T, N> v;
    Word w[bytes / word];
    __device__ Both() {}
  } both;
  both.v = v;
#pragma unroll
  for (int k = 0; k < bytes / word; ++k) reinterpret_cast<Word *>(p + i)[k] = both.w[k];
}

/// A load and a store of data that nobody reads again soon (evict first).
template <class T> SINTER_DEVICE typename WithoutConst<T>::type loadOnce(T *p, i64 i) {
  using Element = typename WithoutConst<T>::type;
  using Word = typename WordOf<sizeof(T)>::type;
  return bitCast<Element>(__ldcs(reinterpret_cast<const Word *>(p + i)));
}
template <class T> SINTER_DEVICE void storeOnce(T *p, i64 i, T x) {
  using Word = typename WordOf<sizeof(T)>::type;
  __stcs(reinterpret_cast<Word *>(p + i), bitCast<Word>(x));
}

#endif

/// p[i] where `inBounds`, else `other`, without touching memory.
template <class P, class T> SINTER_DEVICE T loadOr(P p, i64 i, bool inBounds, T other) {
  return inBounds ? static_cast<T>(p[i]) : other;
}
template <class P, class T> SINTER_DEVICE void storeIf(P p, i64 i, bool inBounds, T x) {
  if (inBounds) p[i] = x;
}
/// All N elements or `other` in each: for bounds that are multiples of N.
template <int N, class P, class T>
SINTER_DEVICE Vec<T, N> loadVecOr(P p, i64 i, bool inBounds, T other) {
  Vec<T, N> v;
  if (inBounds) return loadVec<N>(p, i);
#pragma unroll
  for (int k = 0; k < N; ++k) v.v[k] = other;
  return v;
}

} // namespace sinter
