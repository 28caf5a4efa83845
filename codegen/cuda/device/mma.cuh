#pragma once

#include "sinter/types.cuh"

// Tensor cores: D = A * B + C on a 16x8x16 tile per warp, bf16 or f16 into f32 (mma.sync, sm_80).
// Lane l holds, with g = l / 4 and t = l % 4 (PTX ISA, "Matrix Fragments for mma.m16n8k16"):
//   A (16x16, row-major pairs along k): a[0] = (g, 2t), a[1] = (g + 8, 2t), a[2] = (g, 2t + 8), a[3] = (g + 8, 2t + 8)
//   B (16x8,  pairs along k):           b[0] = (2t, g), b[1] = (2t + 8, g)
//   C (16x8):                           c[0..1] = (g, 2t), (g, 2t + 1), c[2..3] = (g + 8, 2t), (g + 8, 2t + 1)

namespace sinter {

/// Two elements each, the lower index in the low half.
struct MmaA {
  u32 r[4];
};
struct MmaB {
  u32 r[2];
};
struct MmaC {
  f32 v[4];
};

template <class T> SINTER_DEVICE u32 packPair(T low, T high) {
  return static_cast<u32>(low.bits) | (static_cast<u32>(high.bits) << 16);
}
SINTER_DEVICE int mmaGroup() { return static_cast<int>(threadIdx.x & 31u) >> 2; }
SINTER_DEVICE int mmaThread() { return static_cast<int>(threadIdx.x & 3u); }
/// Where element i of the lane's MmaC lies in the 16x8 tile.
SINTER_DEVICE int mmaRow(int i) { return mmaGroup() + (i >= 2 ? 8 : 0); }
SINTER_DEVICE int mmaColumn(int i) { return 2 * mmaThread() + (i & 1); }

/// A's fragment from a row-major 16x16 tile in shared memory; rows lie `stride` elements apart.
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

// The same fragments by ldmatrix: one instruction instead of eight loads. Every row of the tile
// starts at a multiple of 16 bytes (tile and stride are multiples of 8 elements); rows that lie a
// multiple of 128 bytes apart meet in one bank, so pad them by 16 bytes.

#ifdef SINTER_EMULATION
/// Checks the 16 bytes that a lane names, as the instruction does.
#define SINTER_MATRIX_ROW(tile, offset) ((void)((tile) + (offset)).checked(16, 16))
#endif
SINTER_DEVICE int matrixLane() { return static_cast<int>(threadIdx.x & 31u); }

template <class P> SINTER_DEVICE MmaA loadMatrixA(P tile, int stride) {
  int lane = matrixLane(), offset = (lane & 15) * stride + (lane >> 4) * 8;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 750
  MmaA a;
  u32 address = static_cast<u32>(__cvta_generic_to_shared(tile + offset));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(a.r[0]), "=r"(a.r[1]), "=r"(a.r[2]), "=r"(a.r[3])
               : "r"(address)
               : "memory");
  return a;
#else
#ifdef SINTER_EMULATION
  SINTER_MATRIX_ROW(tile, offset);
  __syncwarp();
#endif
  return loadFragmentA(tile, stride);
#endif
}

/// Two neighbouring fragments of B (n 0..7 and 8..15) from a tile stored as [n][k]: 16 rows of 16.
template <class P> SINTER_DEVICE void loadMatrixBTransposed(P tile, int stride, MmaB &first, MmaB &second) {
  int lane = matrixLane(), offset = ((lane & 7) + (lane >> 4) * 8) * stride + ((lane >> 3) & 1) * 8;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 750
  u32 address = static_cast<u32>(__cvta_generic_to_shared(tile + offset));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(first.r[0]), "=r"(first.r[1]), "=r"(second.r[0]), "=r"(second.r[1])
               : "r"(address)
               : "memory");
#else
#ifdef SINTER_EMULATION
  SINTER_MATRIX_ROW(tile, offset);
  __syncwarp();
#endif
  first = loadFragmentBTransposed(tile, stride);
  second = loadFragmentBTransposed(tile + 8 * stride, stride);
#endif
}

/// The same from a tile stored as [k][n]: 16 rows of 16.
template <class P> SINTER_DEVICE void loadMatrixB(P tile, int stride, MmaB &first, MmaB &second) {
  int lane = matrixLane(), offset = (lane & 15) * stride + (lane >> 4) * 8;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 750
  u32 address = static_cast<u32>(__cvta_generic_to_shared(tile + offset));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(first.r[0]), "=r"(first.r[1]), "=r"(second.r[0]), "=r"(second.r[1])
               : "r"(address)
               : "memory");
#else
#ifdef SINTER_EMULATION
  SINTER_MATRIX_ROW(tile, offset);
  __syncwarp();
#endif
  first = loadFragmentB(tile, stride);
  second = loadFragmentB(tile + 8, stride);
#endif
}

#if !defined(SINTER_EMULATION) && (!defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800)

template <class T> SINTER_DEVICE void mma(MmaC &c, const MmaA &a, const MmaB &b);
template <> __device__ __forceinline__ void mma<bf16>(MmaC &c, const MmaA &a, const MmaB &b) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
               "{%8,%9}, {%0,%1,%2,%3};"
               : "+f"(c.v[0]), "+f"(c.v[1]), "+f"(c.v[2]), "+f"(c.v[3])
               : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b.r[0]), "r"(b.r[1]));
}
template <> __device__ __forceinline__ void mma<f16>(MmaC &c, const MmaA &a, const MmaB &b) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, "
               "{%8,%9}, {%0,%1,%2,%3};"
               : "+f"(c.v[0]), "+f"(c.v[1]), "+f"(c.v[2]), "+f"(c.v[3])
               : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b.r[0]), "r"(b.r[1]));
}

#else

// The same tile by shuffles: what the emulated device runs, and GPUs before sm_80. Products of
// bf16 and f16 are exact in f32; the k sum runs in ascending order.
template <class T> SINTER_DEVICE f32 mmaHalf(u32 pair, int half) {
  T x;
  x.bits = static_cast<u16>(half ? pair >> 16 : pair & 0xffffu);
  return static_cast<f32>(x);
}
template <class T> SINTER_DEVICE void mma(MmaC &c, const MmaA &a, const MmaB &b) {
  int group = mmaGroup(), thread = mmaThread();
  for (int k = 0; k < 16; k += 2) {
    int source = (k & 7) / 2, high = k >= 8;
    u32 top = __shfl_sync(0xffffffffu, high ? a.r[2] : a.r[0], group * 4 + source);
    u32 bottom = __shfl_sync(0xffffffffu, high ? a.r[3] : a.r[1], group * 4 + source);
    u32 left = __shfl_sync(0xffffffffu, high ? b.r[1] : b.r[0], (2 * thread) * 4 + source);
    u32 right = __shfl_sync(0xffffffffu, high ? b.r[1] : b.r[0], (2 * thread + 1) * 4 + source);
    for (int half = 0; half < 2; ++half) {
      c.v[0] += mmaHalf<T>(top, half) * mmaHalf<T>(left, half);
      c.v[1] += mmaHalf<T>(top, half) * mmaHalf<T>(right, half);
      c.v[2] += mmaHalf<T>(bottom, half) * mmaHalf<T>(left, half);
      c.v[3] += mmaHalf<T>(bottom, half) * mmaHalf<T>(right, half);
    }
  }
}

#endif

} // namespace sinter
