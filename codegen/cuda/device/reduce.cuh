#pragma once

#include "sinter/math.cuh"

// Reductions and scans of a warp and of a block. Trees depend on the block's size alone, so results
// are the same bits on every run; every thread gets the result.

namespace sinter {

// Operators. `symmetric`: op(a, b) and op(b, a) are the same bits.
struct Sum {
  static constexpr bool symmetric = true;
  template <class T> static __device__ __forceinline__ T identity() { return T(0); }
  template <class T> __device__ __forceinline__ T operator()(T a, T b) const { return a + b; }
};
struct Product {
  static constexpr bool symmetric = true;
  template <class T> static __device__ __forceinline__ T identity() { return T(1); }
  template <class T> __device__ __forceinline__ T operator()(T a, T b) const { return a * b; }
};
template <class T> struct Extreme { // of an integer type
  SINTER_DEVICE T lowest() { return static_cast<T>(Limits<T>::min); }
  SINTER_DEVICE T highest() { return static_cast<T>(Limits<T>::max); }
};
template <> struct Extreme<f32> {
  SINTER_DEVICE f32 lowest() { return bitCast<f32>(0xff800000u); }
  SINTER_DEVICE f32 highest() { return bitCast<f32>(0x7f800000u); }
};
template <> struct Extreme<f64> {
  SINTER_DEVICE f64 lowest() { return bitCast<f64>(0xfff0000000000000ull); }
  SINTER_DEVICE f64 highest() { return bitCast<f64>(0x7ff0000000000000ull); }
};
template <> struct Extreme<bf16> {
  SINTER_DEVICE bf16 lowest() { return bf16(Extreme<f32>::lowest()); }
  SINTER_DEVICE bf16 highest() { return bf16(Extreme<f32>::highest()); }
};
template <> struct Extreme<f16> {
  SINTER_DEVICE f16 lowest() { return f16(Extreme<f32>::lowest()); }
  SINTER_DEVICE f16 highest() { return f16(Extreme<f32>::highest()); }
};
template <> struct Extreme<i1> {
  SINTER_DEVICE i1 lowest() { return false; }
  SINTER_DEVICE i1 highest() { return true; }
};
struct Maximum {
  static constexpr bool symmetric = true;
  template <class T> static __device__ __forceinline__ T identity() { return Extreme<T>::lowest(); }
  template <class T> __device__ __forceinline__ T operator()(T a, T b) const {
    return maximum(a, b);
  }
};
struct Minimum {
  static constexpr bool symmetric = true;
  template <class T> static __device__ __forceinline__ T identity() {
    return Extreme<T>::highest();
  }
  template <class T> __device__ __forceinline__ T operator()(T a, T b) const {
    return minimum(a, b);
  }
};
struct BitAnd {
  static constexpr bool symmetric = true;
  template <class T> static __device__ __forceinline__ T identity() {
    return static_cast<T>(~T(0));
  }
  template <class T> __device__ __forceinline__ T operator()(T a, T b) const { return a & b; }
};
struct BitOr {
  static constexpr bool symmetric = true;
  template <class T> static __device__ __forceinline__ T identity() { return T(0); }
  template <class T> __device__ __forceinline__ T operator()(T a, T b) const { return a | b; }
};
struct BitXor {
  static constexpr bool symmetric = true;
  template <class T> static __device__ __forceinline__ T identity() { return T(0); }
  template <class T> __device__ __forceinline__ T operator()(T a, T b) const { return a ^ b; }
};
struct LogicalAnd {
  static constexpr bool symmetric = true;
  template <class T> static __device__ __forceinline__ T identity() { return T(1); }
  template <class T> __device__ __forceinline__ T operator()(T a, T b) const { return T(a && b); }
};
struct LogicalOr {
  static constexpr bool symmetric = true;
  template <class T> static __device__ __forceinline__ T identity() { return T(0); }
  template <class T> __device__ __forceinline__ T operator()(T a, T b) const { return T(a || b); }
};

/// A candidate of an arg reduction; index -1 is no candidate at all.
template <class T> struct ValueIndex {
  T value;
  i64 index;
};
template <class T> SINTER_DEVICE bool firstWins(const ValueIndex<T> &a, const ValueIndex<T> &b,
                                                bool aBetter, bool bBetter) {
  if (a.index < 0 || b.index < 0) return b.index < 0;
  bool aNan = isNan(a.value), bNan = isNan(b.value);
  if (aNan != bNan) return aNan;
  if (!aNan && aBetter != bBetter) return aBetter;
  return a.index < b.index;
}
struct ArgMax {
  static constexpr bool symmetric = true;
  template <class P> static __device__ __forceinline__ P identity() {
    return P{Extreme<decltype(P::value)>::lowest(), -1};
  }
  template <class T>
  __device__ __forceinline__ ValueIndex<T> operator()(ValueIndex<T> a, ValueIndex<T> b) const {
    return firstWins(a, b, a.value > b.value, b.value > a.value) ? a : b;
  }
};
struct ArgMin {
  static constexpr bool symmetric = true;
  template <class P> static __device__ __forceinline__ P identity() {
    return P{Extreme<decltype(P::value)>::highest(), -1};
  }
  template <class T>
  __device__ __forceinline__ ValueIndex<T> operator()(ValueIndex<T> a, ValueIndex<T> b) const {
    return firstWins(a, b, a.value < b.value, b.value < a.value) ? a : b;
  }
};

/// Count, mean and sum of squared deviations (Welford; merged as Chan, Golub, LeVeque 1979).
template <class T> struct Moments {
  T count, mean, m2;
  __device__ __forceinline__ void add(T x) {
    count += T(1);
    T delta = x - mean;
    mean += delta / count;
    m2 += delta * (x - mean);
  }
};
struct WelfordMerge {
  static constexpr bool symmetric = false;
  template <class M> static __device__ __forceinline__ M identity() { return M{0, 0, 0}; }
  template <class T>
  __device__ __forceinline__ Moments<T> operator()(Moments<T> a, Moments<T> b) const {
    T count = a.count + b.count;
    if (count == T(0)) return a;
    T delta = b.mean - a.mean, share = b.count / count;
    return {count, a.mean + delta * share, a.m2 + b.m2 + delta * delta * a.count * share};
  }
};

/// What lane `lane ^ mask` holds, for any trivial type.
template <class T> SINTER_DEVICE T shuffleXor(T x, int mask) {
  constexpr int words = (sizeof(T) + 3) / 4;
  u32 bits[words] = {};
  memcpy(bits, &x, sizeof(T));
#pragma unroll
  for (int i = 0; i < words; ++i) bits[i] = __shfl_xor_sync(0xffffffffu, bits[i], mask);
  memcpy(&x, bits, sizeof(T));
  return x;
}
/// What lane `lane - delta` holds; lanes below `delta` get their own value back.
template <class T> SINTER_DEVICE T shuffleUp(T x, int delta) {
  constexpr int words = (sizeof(T) + 3) / 4;
  u32 bits[words] = {};
  memcpy(bits, &x, sizeof(T));
#pragma unroll
  for (int i = 0; i < words; ++i) bits[i] = __shfl_up_sync(0xffffffffu, bits[i], delta);
  memcpy(&x, bits, sizeof(T));
  return x;
}
/// What lane `source` holds.
template <class T> SINTER_DEVICE T shuffle(T x, int source) {
  constexpr int words = (sizeof(T) + 3) / 4;
  u32 bits[words] = {};
  memcpy(bits, &x, sizeof(T));
#pragma unroll
  for (int i = 0; i < words; ++i) bits[i] = __shfl_sync(0xffffffffu, bits[i], source);
  memcpy(&x, bits, sizeof(T));
  return x;
}

/// The thread's number in its block, x fastest.
SINTER_DEVICE int threadRank() {
  return static_cast<int>(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z));
}
SINTER_DEVICE int laneId() { return threadRank() & 31; }
SINTER_DEVICE int warpId() { return threadRank() >> 5; }

/// Reduces over groups of Width neighbouring lanes. All 32 lanes of the warp call it.
template <int Width = 32, class T, class Op> SINTER_DEVICE T warpReduce(T x, Op op) {
  static_assert(Width >= 1 && Width <= 32 && (Width & (Width - 1)) == 0,
                "a group is a power of two of lanes");
#pragma unroll
  for (int mask = Width / 2; mask > 0; mask /= 2) {
    T other = shuffleXor(x, mask);
    if constexpr (Op::symmetric)
      x = op(x, other);
    else
      x = (laneId() & mask) ? op(other, x) : op(x, other);
  }
  return x;
}

/// Reduces over a block of Threads threads (a multiple of 32). Every thread calls it.
template <int Threads, class T, class Op> SINTER_DEVICE T blockReduce(T x, Op op) {
  static_assert(Threads % 32 == 0 && Threads <= 1024, "a block is 1 to 32 whole warps");
  constexpr int warps = Threads / 32;
  x = warpReduce(x, op);
  if constexpr (warps == 1) {
    return x;
  } else {
    SINTER_SHARED(T, partial, warps);
    if (laneId() == 0) partial[warpId()] = x;
    __syncthreads();
    // Every warp combines the partials itself: a second broadcast would cost another barrier.
    x = laneId() < warps ? static_cast<T>(partial[laneId()]) : Op::template identity<T>();
    x = warpReduce(x, op);
    __syncthreads(); // the next call may write `partial` again
    return x;
  }
}

/// Inclusive scan over the lanes of a warp.
template <class T, class Op> SINTER_DEVICE T warpScan(T x, Op op) {
#pragma unroll
  for (int delta = 1; delta < 32; delta *= 2) {
    T other = shuffleUp(x, delta);
    if (laneId() >= delta) x = op(other, x);
  }
  return x;
}

/// Inclusive scan over the threads of a block, in the order of `threadRank()`.
template <int Threads, class T, class Op> SINTER_DEVICE T blockScan(T x, Op op) {
  static_assert(Threads % 32 == 0 && Threads <= 1024, "a block is 1 to 32 whole warps");
  constexpr int warps = Threads / 32;
  x = warpScan(x, op);
  if constexpr (warps == 1) {
    return x;
  } else {
    SINTER_SHARED(T, total, warps);
    if (laneId() == 31) total[warpId()] = x;
    __syncthreads();
    T before = laneId() < warps ? static_cast<T>(total[laneId()]) : Op::template identity<T>();
    before = warpScan(before, op);
    before = shuffle(before, warpId() == 0 ? 0 : warpId() - 1);
    __syncthreads();
    return warpId() == 0 ? x : op(before, x);
  }
}

} // namespace sinter
