// A kernel that may be started before those that it depends on have ended waits for them first; on older GPUs nothing
// changes. Other tiles of a product are listed with what the model predicts for them.
// RUN: sinter-emit %s --arch sm_90 --early | FileCheck %s --check-prefixes=CHECK,EARLY
// RUN: sinter-emit %s --arch sm_80 --early | FileCheck %s --check-prefixes=CHECK,LATE
// RUN: sinter-emit %s --arch sm_90 | FileCheck %s --check-prefixes=CHECK,LATE
// RUN: sinter-emit %s --arch sm_90 --alternatives 2 | FileCheck %s --check-prefix=TILES

// TILES: // chosen: tiles of [[CHOSEN:[0-9]+x[0-9]+x32]], {{[0-9.]+}} kcycles predicted
// TILES-NEXT: // alternative: tiles of {{[0-9]+x[0-9]+x32}}, {{[0-9.]+}} kcycles predicted
// TILES-NEXT: // alternative: tiles of {{[0-9]+x[0-9]+x32}}, {{[0-9.]+}} kcycles predicted
// TILES-NOT: alternative

// EARLY: #include "sinter/launch.cuh"
// LATE-NOT: launch.cuh
// CHECK: extern "C" __global__ void
// EARLY-NEXT: {{.*}} {
// EARLY-NEXT: awaitEarlierKernels();
// LATE-NOT: awaitEarlierKernels
func.func @product(%x: tensor<256x256xbf16>, %w: tensor<256x256xbf16>) -> tensor<256x256xbf16> {
  %r = sinter.matmul %x, %w : (tensor<256x256xbf16>, tensor<256x256xbf16>) -> tensor<256x256xbf16>
  return %r : tensor<256x256xbf16>
}
