#pragma once

#include "sinter/barrier.cuh"

// Products of a warpgroup (wgmma, sm_90a): 128 threads multiply 64 rows of A by N columns of B, 16 steps of k at a time,
// both from shared memory, into sums in their registers. Thread t, with warp w = t / 32 and lane l = t % 32, holds of
// the sums (PTX ISA, "Matrix Fragments for wgmma.mma_async.m64nNk16")
//   d[i] = (16 w + l / 4 + 8 (i / 2 % 2), 8 (i / 4) + 2 (l % 4) + i % 2)
// Products run beside the threads: sums may be looked at, and tiles overwritten, after the wait that covers them.

namespace sinter {

/// Where in N columns' sums thread `t`'s element `i` lies.
SINTER_DEVICE int wgmmaRow(int t, int i) { return t / 32 * 16 + t % 32 / 4 + i / 2 % 2 * 8; }
SINTER_DEVICE int wgmmaColumn(int t, int i) { return i / 4 * 8 + t % 4 * 2 + i % 2; }

/// A matrix in shared memory, swizzled by 128 bytes (PTX ISA, "Matrix Descriptor Format"). Where rows of 128 bytes run
/// along k, `strideBytes` lie between groups of eight of them; where they run along m or n, between groups of eight
/// steps of k, and `leadingBytes` between groups of 64 along m or n.
SINTER_DEVICE u64 matrixDescriptor(u32 address, u32 leadingBytes, u32 strideBytes) {
  return static_cast<u64>((address & 0x3ffffu) >> 4) |
         static_cast<u64>((leadingBytes & 0x3ffffu) >> 4) << 16 |
         static_cast<u64>((strideBytes & 0x3ffffu) >> 4) << 32 | static_cast<u64>(1) << 62;
}

#ifdef SINTER_EMULATION

template <class P> SINTER_DEVICE u32 sharedAddress(P p) {
  return sinter_emu::sharedAddress(p.checked(0, 1));
}

/// A whole product, by the descriptors' bits.
template <int N, class T, int AcrossA, int AcrossB> struct WarpgroupProduct {
  struct Matrix {
    const sinter_emu::SharedView &shared;
    u64 descriptor;
    bool across; // rows run along m or n
    f32 operator()(int mn, int k) const {
      u32 start = (descriptor & 0x3fff) << 4, leading = (descriptor >> 16 & 0x3fff) << 4,
          stride = (descriptor >> 32 & 0x3fff) << 4;
      u32 address = across ? start + mn / 64 * leading + mn % 64 * 2 + k / 8 * stride + k % 8 * 128
                           : start + mn / 8 * stride + mn % 8 * 128 + k * 2;
      T x;
      x.bits = shared.word(address ^ (address >> 7 & 7) << 4);
      return static_cast<f32>(x);
    }
  };
  static void run(const sinter_emu::WarpgroupRequest *const *threads,
                  const sinter_emu::SharedView &shared) {
    const sinter_emu::WarpgroupRequest &all = *threads[0];
    Matrix a{shared, all.a, AcrossA != 0}, b{shared, all.b, AcrossB != 0};
    static f32 left[64][16], right[16][N];
    for (int k = 0; k < 16; ++k) {
      for (int m = 0; m < 64; ++m) left[m][k] = a(m, k);
      for (int n = 0; n < N; ++n) right[k][n] = b(n, k);
    }
    f32 sums[N];
    for (int row = 0; row < 64; ++row) {
      auto eachOwn = [&](auto body) {
        for (int column = 0; column < N; ++column) {
          int thread = row / 16 * 32 + row % 8 * 4 + column % 8 / 2;
          body(column, threads[thread]->sums[column / 8 * 4 + row % 16 / 8 * 2 + column % 2]);
        }
      };
      eachOwn([&](int column, f32 &own) { sums[column] = all.add ? own : 0.0f; });
      for (int k = 0; k < 16; ++k)
        for (int n = 0; n < N; ++n) sums[n] += left[row][k] * right[k][n];
      eachOwn([&](int column, f32 &own) { own = sums[column]; });
    }
  }
};

template <int N, class T, int AcrossA, int AcrossB>
SINTER_DEVICE void wgmma(f32 (&sums)[N / 2], u64 a, u64 b, bool add,
                         const char *file = __builtin_FILE(), int line = __builtin_LINE()) {
  sinter_emu::WarpgroupRequest request{
      sums, a, b, add, &WarpgroupProduct<N, T, AcrossA, AcrossB>::run, file, line};
  sinterEmuHost->warpgroup(sinterEmuHost, &request);
}
SINTER_DEVICE void wgmmaFence() { sinter_emu::async({sinter_emu::AsyncKind::wgmmaFence}); }
SINTER_DEVICE void wgmmaCommit() { sinter_emu::async({sinter_emu::AsyncKind::wgmmaCommit}); }
template <int Pending>
SINTER_DEVICE void wgmmaWait(const char *file = __builtin_FILE(), int line = __builtin_LINE()) {
  sinter_emu::AsyncRequest request{sinter_emu::AsyncKind::wgmmaWait};
  request.count = Pending, request.file = file, request.line = line;
  sinter_emu::async(request);
}
template <int Count> SINTER_DEVICE void wgmmaSettle(f32 (&)[Count]) {}

#else

/// Orders what threads did to their sums before products that add to them: before the first product, and after sums
/// were looked at.
SINTER_DEVICE void wgmmaFence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
/// Closes the group of products since the last commit.
SINTER_DEVICE void wgmmaCommit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
/// Waits until at most Pending groups are still under way.
template <int Pending> SINTER_DEVICE void wgmmaWait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
}
/// Keeps the compiler from reading sums before this place.
template <int Count> SINTER_DEVICE void wgmmaSettle(f32 (&sums)[Count]) {
#pragma unroll
  for (int i = 0; i < Count; ++i) asm volatile("" : "+f"(sums[i])::"memory");
}

// Operands d[i] to d[i + 31].
#define SINTER_SUMS_8(i)                                                                           \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]),      \
      "+f"(d[i + 6]), "+f"(d[i + 7])
#define SINTER_SUMS_32(i)                                                                          \
  SINTER_SUMS_8(i), SINTER_SUMS_8(i + 8), SINTER_SUMS_8(i + 16), SINTER_SUMS_8(i + 24)
// Numbers of registers in the text.
// clang-format off
#define SINTER_NAMES_0 \
  "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
  "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define SINTER_NAMES_32 \
  "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
  "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define SINTER_NAMES_64 \
  "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, " \
  "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define SINTER_NAMES_96 \
  "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, " \
  "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
// clang-format on
// Operands: the sums, the descriptors, whether to add, and which sides' rows run along m or n.
#define SINTER_WGMMA(n, type, names, a, b, add, acrossA, acrossB, ...)                             \
  asm volatile("{\n\t.reg .pred %%add;\n\tsetp.ne.b32 %%add, %" add ", 0;\n\t"                        \
               "wgmma.mma_async.sync.aligned.m64n" n "k16.f32." type "." type " {" names "}, %" a  \
               ", %" b ", %%add, 1, 1, %" acrossA ", %" acrossB ";\n\t}"                             \
               : __VA_ARGS__                                                                       \
               : "l"(descriptorA), "l"(descriptorB), "r"(static_cast<int>(accumulate)),            \
                 "n"(AcrossA), "n"(AcrossB)                                                        \
               : "memory")
#define SINTER_WGMMA_OF(N, T, ...)                                                                 \
  template <> struct WgmmaOf<N, T> {                                                               \
    template <int AcrossA, int AcrossB>                                                            \
    static __device__ __forceinline__ void run(f32 (&d)[N / 2], u64 descriptorA, u64 descriptorB,  \
                                               bool accumulate) {                                  \
      SINTER_WGMMA(__VA_ARGS__);                                                                   \
    }                                                                                              \
  };
#define SINTER_WGMMA_TYPE(T, type)                                                                 \
  SINTER_WGMMA_OF(64, T, "64", type, SINTER_NAMES_0, "32", "33", "34", "35", "36",                 \
                  SINTER_SUMS_32(0))                                                               \
  SINTER_WGMMA_OF(128, T, "128", type, SINTER_NAMES_0 ", " SINTER_NAMES_32, "64", "65", "66",      \
                  "67", "68", SINTER_SUMS_32(0), SINTER_SUMS_32(32))                               \
  SINTER_WGMMA_OF(256, T, "256", type,                                                             \
                  SINTER_NAMES_0 ", " SINTER_NAMES_32 ", " SINTER_NAMES_64 ", " SINTER_NAMES_96,   \
                  "128", "129", "130", "131", "132", SINTER_SUMS_32(0), SINTER_SUMS_32(32),        \
                  SINTER_SUMS_32(64), SINTER_SUMS_32(96))

template <int N, class T> struct WgmmaOf;
SINTER_WGMMA_TYPE(bf16, "bf16")
SINTER_WGMMA_TYPE(f16, "f16")
#undef SINTER_WGMMA_TYPE
#undef SINTER_WGMMA_OF
#undef SINTER_WGMMA
#undef SINTER_SUMS_32
#undef SINTER_SUMS_8
#undef SINTER_NAMES_0
#undef SINTER_NAMES_32
#undef SINTER_NAMES_64
#undef SINTER_NAMES_96

/// Sends for a product of 64xN: sums (0 where not `add`) + A B. N is 64, 128 or 256, T bf16 or f16; AcrossA says that
/// A's rows of 128 bytes run along m, AcrossB that B's run along n (else along k).
template <int N, class T, int AcrossA, int AcrossB>
SINTER_DEVICE void wgmma(f32 (&sums)[N / 2], u64 a, u64 b, bool add) {
  WgmmaOf<N, T>::template run<AcrossA, AcrossB>(sums, a, b, add);
}

#endif

/// The product of steps 16 `step` to 16 `step` + 15 of tiles of 64 steps, made of blocks of 64x64 elements, 8192 bytes
/// each, rows of 128 bytes, swizzled, as bulk copies leave them. `a` and `b` are the first blocks' first elements.
template <int N, class T, int AcrossA, int AcrossB, class P>
SINTER_DEVICE void multiplyBlocks(f32 (&sums)[N / 2], P a, i64 offsetA, P b, i64 offsetB, i64 step,
                                  bool add) {
  const u32 fromA = sharedAddress(a + offsetA) + static_cast<u32>(step) * (AcrossA ? 2048 : 32),
            fromB = sharedAddress(b + offsetB) + static_cast<u32>(step) * (AcrossB ? 2048 : 32);
  wgmma<N, T, AcrossA, AcrossB>(sums, matrixDescriptor(fromA, 8192, 1024),
                                matrixDescriptor(fromB, 8192, 1024), add);
}

} // namespace sinter
