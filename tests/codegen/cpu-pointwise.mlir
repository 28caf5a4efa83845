// RUN: sinter-emit %s --target cpu --arch avx2 | FileCheck %s
// Runs of eight and a rest, element by element, of the part that a thread is given.

func.func @bias(%x: tensor<100xf32>, %b: tensor<100xf32>) -> tensor<100xf32> {
  %r = sinter.add %x, %b : tensor<100xf32>
  return %r : tensor<100xf32>
}
