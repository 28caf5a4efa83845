// RUN: sinter-opt %s -split-input-file -verify-diagnostics -sinter-check-locations | FileCheck %s

// CHECK-LABEL: func @kept
func.func @kept(%x: tensor<f32>) -> tensor<f32> {
  %c = sinter.constant dense<1.0> : tensor<f32> loc(unknown)
  %y = sinter.add %x, %c : tensor<f32> loc("gradient"("model.cpp":3:4))
  %z = sinter.neg %y : tensor<f32> loc(fused[unknown, "model.cpp":3:4])
  return %z : tensor<f32>
}

// -----

func.func @no_location(%x: tensor<f32>) -> tensor<f32> {
  // expected-error @unknown {{'sinter.neg' has lost its source location}}
  %z = sinter.neg %x : tensor<f32> loc(unknown)
  return %z : tensor<f32>
}
