// The kernel that the README shows is the kernel that is printed.
// RUN: sinter-emit %s --target cuda | sed '/^\/\//d' > %t.emitted
// RUN: sed -n '/^#include "sinter.math.cuh"/,/^```/p' %sinter_src/README.md | sed '$d' > %t.readme
// RUN: diff %t.readme %t.emitted

func.func @softmax(%x: tensor<128x10xf32>) -> tensor<128x10xf32> {
  %r = sinter.softmax %x {dim = 1 : i64} : tensor<128x10xf32>
  return %r : tensor<128x10xf32>
}
