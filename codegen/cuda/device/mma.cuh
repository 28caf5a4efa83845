#pragma once

#include "sinter/types.cuh"

// Tensor cores: what a warp multiplies together, and how its lanes load it (mma.sync, ldmatrix). A tile's
// elements are spread over the lanes; lane l has g = l / 4 and t = l % 4 (PTX ISA, "Matrix Fragments for
// mma.m16n8k16 with floating point type" and "for mma.m16n8k8"; tests/unit/cuda/MatrixFragments.cpp has the tables):
//   A (16x16, pairs along k):  r[0] = (g, 2t), r[1] = (g + 8, 2t), r[2] = (g, 2t + 8), r[3] = (g + 8, 2t + 8)
//   B (16x8, pairs along k):   r[0] = (2t, g), r[1] = (2t + 8, g)
//   C (16x8):                  v[0..1] = (g, 2t), (g, 2t + 1), v[2..3] = (g + 8, 2t), (g + 8, 2t + 1)
//   A of tf32 (16x8):          r[0] = (g, t), r[1] = (g + 8, t), r[2] = (g, t + 4), r[3] = (g + 8, t + 4)
//   B of tf32 (8x8):           r[0] = (t, g), r[1] = (t + 4, g)

namespace sinter {

/// A lane's share of a tile, in words: two bf16 or f16 each, the lower index in the low half, or one tf32.
template <int N> struct Fragment {
  u32 r[N];
};
using MmaA = Fragment<4>;
using MmaB = Fragment<2>;
struct MmaC {
  f32 v[4];
};

/// `Count` words of a fragment, from word `First` on.
template <int First, int Count, int N>
SINTER_DEVICE Fragment<Count> fragmentPart(const Fragment<N> &whole) {
  static_assert(First + Count <= N, "a part lies inside");
  Fragment<Count> part;
#pragma unroll
  for (int i = 0; i < Count; ++i) part.r[i] = whole.r[First + i];
  return part;
}

template <class T> SINTER_DEVICE u32 packPair(T low, T high) {
  return static_cast<u32>(low.bits) | (static_cast<u32>(high.bits) << 16);
}
/// A's fragment from a lane's numbers of it, two a word: those that two neighbouring tiles of sums (C) have in the
/// lane are the numbers of A's 16 columns, in this order.
template <class T> SINTER_DEVICE MmaA fragmentOf(T a, T b, T c, T d, T e, T f, T g, T h) {
  return MmaA{{packPair(a, b), packPair(c, d), packPair(e, f), packPair(g, h)}};
}
template <class T> SINTER_DEVICE f32 pairHalf(u32 pair, int half) {
  T x;
  x.bits = static_cast<u16>(half ? pair >> 16 : pair & 0xffffu);
  return static_cast<f32>(x);
}
SINTER_DEVICE int mmaGroup() { return static_cast<int>(threadIdx.x & 31u) >> 2; }
SINTER_DEVICE int mmaThread() { return static_cast<int>(threadIdx.x & 3u); }
/// Where element i of the lane's MmaC lies in the 16x8 tile.
SINTER_DEVICE int mmaRow(int i) { return mmaGroup() + (i >= 2 ? 8 : 0); }
SINTER_DEVICE int mmaColumn(int i) { return 2 * mmaThread() + (i & 1); }

// Fragments element by element, from any memory.

/// A's fragment from a row-major 16x16 tile; rows lie `stride` elements apart.
template <class P> SINTER_DEVICE MmaA loadFragmentA(P tile, int stride) {
  int row = mmaGroup(), column = 2 * mmaThread();
  MmaA a;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    int offset = (row + (i & 1) * 8) * stride + column + (i >> 1) * 8;
    a.r[i] = packPair(tile[offset], tile[offset + 1]);
  }
  return a;
}
/// B's fragment from a tile stored as [n][k] (8 rows of 16): rows lie `stride` elements apart.
template <class P> SINTER_DEVICE MmaB loadFragmentBTransposed(P tile, int stride) {
  int offset = mmaGroup() * stride + 2 * mmaThread();
  return MmaB{
      {packPair(tile[offset], tile[offset + 1]), packPair(tile[offset + 8], tile[offset + 9])}};
}
/// B's fragment from a tile stored as [k][n] (16 rows of 8).
template <class P> SINTER_DEVICE MmaB loadFragmentB(P tile, int stride) {
  int k = 2 * mmaThread(), n = mmaGroup();
  return MmaB{{packPair(tile[k * stride + n], tile[(k + 1) * stride + n]),
               packPair(tile[(k + 8) * stride + n], tile[(k + 9) * stride + n])}};
}

/// An f32 rounded to tf32 (10 bits of fraction, ties away from zero), as a fragment's word.
SINTER_DEVICE u32 tf32BitsOf(f32 x) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  u32 bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
#else
  u32 bits = bitCast<u32>(x);
  if ((bits & 0x7f800000u) == 0x7f800000u) return bits; // infinity or NaN
  return (bits + 0x1000u) & ~0x1fffu;
#endif
}

/// The words of f32 of a fragment, rounded to tf32.
template <int N> SINTER_DEVICE Fragment<N> roundTf32(const Fragment<N> &words) {
  Fragment<N> rounded;
#pragma unroll
  for (int i = 0; i < N; ++i) rounded.r[i] = tf32BitsOf(bitCast<f32>(words.r[i]));
  return rounded;
}

#ifdef SINTER_EMULATION

// The whole warp at once, over what its lanes bring.

template <int N, bool Transposed> struct LoadMatrices {
  struct Lane {
    const u16 *row;
    Fragment<N> loaded;
  };
  static void run(Lane *const *lanes) {
    for (int lane = 0; lane < 32; ++lane)
      for (int i = 0; i < N; ++i) {
        // Matrix i: its eight rows are named by lanes 8i, 8i + 1, ...
        int group = lane / 4, pair = lane % 4 * 2;
        u32 low = Transposed ? lanes[8 * i + pair]->row[group] : lanes[8 * i + group]->row[pair];
        u32 high = Transposed ? lanes[8 * i + pair + 1]->row[group]
                              : lanes[8 * i + group]->row[pair + 1];
        lanes[lane]->loaded.r[i] = low | high << 16;
      }
  }
};
template <int N, bool Transposed, class P> SINTER_DEVICE Fragment<N> loadMatricesOf(P row) {
  const bool names = (threadIdx.x & 31u) < 8 * N; // a row: other lanes' addresses are not looked at
  typename LoadMatrices<N, Transposed>::Lane lane{
      names ? static_cast<const u16 *>(row.checked(16, 16)) : nullptr, {}};
  sinter_emu::together<LoadMatrices<N, Transposed>>(lane);
  return lane.loaded;
}

/// The k sum runs in ascending order; products are exact in f32.
template <int K, class Unpack> struct MultiplyTiles {
  struct Lane {
    MmaA a;
    MmaB b;
    MmaC c;
  };
  static void run(Lane *const *lanes) {
    f32 a[16][K], b[K][8];
    constexpr int perWord = K / 8; // 2 along k, or 1
    for (int lane = 0; lane < 32; ++lane)
      for (int part = 0; part < perWord; ++part) {
        int group = lane / 4, k = lane % 4 * perWord + part;
        for (int i = 0; i < 4; ++i)
          a[group + i % 2 * 8][k + i / 2 * 4 * perWord] = Unpack::of(lanes[lane]->a.r[i], part);
        for (int i = 0; i < 2; ++i)
          b[k + i * 4 * perWord][group] = Unpack::of(lanes[lane]->b.r[i], part);
      }
    for (int lane = 0; lane < 32; ++lane)
      for (int i = 0; i < 4; ++i) {
        int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
        f32 sum = lanes[lane]->c.v[i];
        for (int k = 0; k < K; ++k) sum += a[row][k] * b[k][column];
        lanes[lane]->c.v[i] = sum;
      }
  }
};
template <class T> struct UnpackPair {
  static f32 of(u32 word, int part) { return pairHalf<T>(word, part); }
};
struct UnpackTf32 {
  static f32 of(u32 word, int) { return bitCast<f32>(word & ~0x1fffu); }
};
template <class T> SINTER_DEVICE MmaC mma(const MmaA &a, const MmaB &b, const MmaC &c) {
  typename MultiplyTiles<16, UnpackPair<T>>::Lane lane{a, b, c};
  sinter_emu::together<MultiplyTiles<16, UnpackPair<T>>>(lane);
  return lane.c;
}
SINTER_DEVICE MmaC mmaTf32(const MmaA &a, const MmaB &b, const MmaC &c) {
  MultiplyTiles<8, UnpackTf32>::Lane lane{a, b, c};
  sinter_emu::together<MultiplyTiles<8, UnpackTf32>>(lane);
  return lane.c;
}

#else

template <int N, bool Transposed, class T> SINTER_DEVICE Fragment<N> loadMatricesOf(T *row) {
  static_assert(N == 1 || N == 2 || N == 4, "ldmatrix loads one, two or four matrices");
  Fragment<N> f;
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 750
  u32 address = static_cast<u32>(__cvta_generic_to_shared(row));
#define SINTER_LDMATRIX(form, outputs, ...)                                                        \
  asm volatile("ldmatrix.sync.aligned.m8n8." form ".shared.b16 " outputs ";"                       \
               : __VA_ARGS__                                                                       \
               : "r"(address)                                                                      \
               : "memory")
  if constexpr (N == 1 && !Transposed) SINTER_LDMATRIX("x1", "{%0}, [%1]", "=r"(f.r[0]));
  if constexpr (N == 1 && Transposed) SINTER_LDMATRIX("x1.trans", "{%0}, [%1]", "=r"(f.r[0]));
  if constexpr (N == 2 && !Transposed)
    SINTER_LDMATRIX("x2", "{%0,%1}, [%2]", "=r"(f.r[0]), "=r"(f.r[1]));
  if constexpr (N == 2 && Transposed)
    SINTER_LDMATRIX("x2.trans", "{%0,%1}, [%2]", "=r"(f.r[0]), "=r"(f.r[1]));
  if constexpr (N == 4 && !Transposed)
    SINTER_LDMATRIX("x4", "{%0,%1,%2,%3}, [%4]", "=r"(f.r[0]), "=r"(f.r[1]), "=r"(f.r[2]),
                    "=r"(f.r[3]));
  if constexpr (N == 4 && Transposed)
    SINTER_LDMATRIX("x4.trans", "{%0,%1,%2,%3}, [%4]", "=r"(f.r[0]), "=r"(f.r[1]), "=r"(f.r[2]),
                    "=r"(f.r[3]));
#undef SINTER_LDMATRIX
#endif
  return f;
}

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800

// Not volatile: a product is a function of its operands.
#define SINTER_MMA(form, a, b, c, d)                                                               \
  asm("mma.sync.aligned." form " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%10,%11,%12,%13};"        \
      : "=f"((d).v[0]), "=f"((d).v[1]), "=f"((d).v[2]), "=f"((d).v[3])                             \
      : "r"((a).r[0]), "r"((a).r[1]), "r"((a).r[2]), "r"((a).r[3]), "r"((b).r[0]), "r"((b).r[1]),  \
        "f"((c).v[0]), "f"((c).v[1]), "f"((c).v[2]), "f"((c).v[3]))

template <class T> struct MmaOf;
template <> struct MmaOf<bf16> {
  static __device__ __forceinline__ MmaC run(const MmaA &a, const MmaB &b, const MmaC &c) {
    MmaC d;
    SINTER_MMA("m16n8k16.row.col.f32.bf16.bf16.f32", a, b, c, d);
    return d;
  }
};
template <> struct MmaOf<f16> {
  static __device__ __forceinline__ MmaC run(const MmaA &a, const MmaB &b, const MmaC &c) {
    MmaC d;
    SINTER_MMA("m16n8k16.row.col.f32.f16.f16.f32", a, b, c, d);
    return d;
  }
};
template <class T> SINTER_DEVICE MmaC mma(const MmaA &a, const MmaB &b, const MmaC &c) {
  return MmaOf<T>::run(a, b, c);
}
SINTER_DEVICE MmaC mmaTf32(const MmaA &a, const MmaB &b, const MmaC &c) {
  MmaC d;
  SINTER_MMA("m16n8k8.row.col.f32.tf32.tf32.f32", a, b, c, d);
  return d;
}
#undef SINTER_MMA

#else

// GPUs before sm_80: the same tile by shuffles, the k sum in ascending order.
template <class T> SINTER_DEVICE MmaC mma(const MmaA &a, const MmaB &b, const MmaC &c) {
  int group = mmaGroup(), thread = mmaThread();
  MmaC d = c;
  for (int k = 0; k < 16; k += 2) {
    int source = (k & 7) / 2, high = k >= 8;
    u32 top = __shfl_sync(0xffffffffu, high ? a.r[2] : a.r[0], group * 4 + source);
    u32 bottom = __shfl_sync(0xffffffffu, high ? a.r[3] : a.r[1], group * 4 + source);
    u32 left = __shfl_sync(0xffffffffu, high ? b.r[1] : b.r[0], (2 * thread) * 4 + source);
    u32 right = __shfl_sync(0xffffffffu, high ? b.r[1] : b.r[0], (2 * thread + 1) * 4 + source);
    for (int half = 0; half < 2; ++half) {
      d.v[0] += pairHalf<T>(top, half) * pairHalf<T>(left, half);
      d.v[1] += pairHalf<T>(top, half) * pairHalf<T>(right, half);
      d.v[2] += pairHalf<T>(bottom, half) * pairHalf<T>(left, half);
      d.v[3] += pairHalf<T>(bottom, half) * pairHalf<T>(right, half);
    }
  }
  return d;
}

#endif
#endif

/// N matrices of 8x8 16-bit elements from shared memory in one instruction (ldmatrix). Lanes 8i to 8i + 7 give
/// the addresses of matrix i's rows (16 bytes each, aligned to that); lane l gets elements (l / 4, 2 (l % 4)) and
/// the next one along the row. Rows that meet in a bank are slow: places are swizzled (docs/cuda.md).
template <int N, class P> SINTER_DEVICE Fragment<N> loadMatrices(P row) {
  return loadMatricesOf<N, false>(row);
}
/// The same with each matrix transposed: lane l gets elements (2 (l % 4), l / 4) and the next one down the column.
template <int N, class P> SINTER_DEVICE Fragment<N> loadMatricesTransposed(P row) {
  return loadMatricesOf<N, true>(row);
}

} // namespace sinter
