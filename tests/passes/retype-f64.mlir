// RUN: sinter-opt %s -split-input-file -verify-diagnostics -sinter-retype-f64 | FileCheck %s

// CHECK-LABEL: func @floats(%{{.*}}: tensor<2xf64>, %{{.*}}: tensor<2xf64>, %{{.*}}: tensor<2xi32>) -> (tensor<2xf64>, tensor<2xi32>)
// CHECK: sinter.constant dense<1.000000e-01> : tensor<2xf64>
// CHECK: sinter.constant dense<{{\[}}5.000000e-01, 2.500000e-01]> : tensor<2xf64>
// CHECK: sinter.cast %{{.*}} : (tensor<2xf64>) -> tensor<2xf64>
// CHECK: sinter.add %{{.*}} : tensor<2xi32>
// CHECK: return %{{.*}} : tensor<2xf64>, tensor<2xi32>
func.func @floats(%x: tensor<2xf32>, %y: tensor<2xbf16>, %i: tensor<2xi32>) -> (tensor<2xf32>, tensor<2xi32>) {
  %c = sinter.constant dense<0.1> : tensor<2xf64>
  %d = sinter.constant dense<[0.5, 0.25]> : tensor<2xf32>
  %z = sinter.cast %y : (tensor<2xbf16>) -> tensor<2xf32>
  %s = sinter.add %x, %z : tensor<2xf32>
  %t = sinter.add %s, %d : tensor<2xf32>
  %k = sinter.add %i, %i : tensor<2xi32>
  return %t, %k : tensor<2xf32>, tensor<2xi32>
}

// -----

func.func @no_fused(%x: tensor<2xf32>) -> tensor<2xf32> {
  // expected-error @below {{'sinter.fused': retype to f64 before fusion}}
  %y = sinter.fused(%x) schedule(#sinter.pointwise) : (tensor<2xf32>) -> tensor<2xf32> {
  ^bb0(%a: tensor<2xf32>):
    %e = sinter.exp %a : tensor<2xf32>
    sinter.yield %e : tensor<2xf32>
  }
  return %y : tensor<2xf32>
}
