// RUN: sinter-emit %s --target cuda --arch sm_90 | FileCheck %s
// Arithmetic in f32, each result rounded to its declared type.

func.func @scale(%x: tensor<100xbf16>, %s: tensor<100xbf16>) -> tensor<100xbf16> {
  %0 = sinter.mul %x, %s : tensor<100xbf16>
  %r = sinter.exp %0 : tensor<100xbf16>
  return %r : tensor<100xbf16>
}
