// RUN: sinter-opt %s | sinter-opt | FileCheck %s
// Every op of this family prints what it parses.

// CHECK-LABEL: func.func @attention(
// CHECK: sinter.attention %{{.+}}, %{{.+}}, %{{.+}} mask %{{.+}} {is_causal = true, scale = 5.000000e-01 : f64} : (tensor<2x4x3x8xf32>, tensor<2x2x5x8xf32>, tensor<2x2x5x6xf32>, tensor<2x1x1x5xi1>) -> (tensor<2x4x3x6xf32>, tensor<2x4x3xf32>)
func.func @attention(%q: tensor<2x4x3x8xf32>, %k: tensor<2x2x5x8xf32>, %v: tensor<2x2x5x6xf32>, %m: tensor<2x1x1x5xi1>) -> (tensor<2x4x3x6xf32>, tensor<2x4x3xf32>) {
  %r:2 = sinter.attention %q, %k, %v mask %m {scale = 0.5 : f64, is_causal = true} : (tensor<2x4x3x8xf32>, tensor<2x2x5x8xf32>, tensor<2x2x5x6xf32>, tensor<2x1x1x5xi1>) -> (tensor<2x4x3x6xf32>, tensor<2x4x3xf32>)
  return %r#0, %r#1 : tensor<2x4x3x6xf32>, tensor<2x4x3xf32>
}

// CHECK-LABEL: func.func @attention_dropped(
// CHECK: sinter.attention %{{.+}}, %{{.+}}, %{{.+}} seed %{{.+}} step %{{.+}} {p = 2.500000e-01 : f64, scale = 5.000000e-01 : f64, stream = 7 : i64} : (tensor<1x1x3x4xbf16>, tensor<1x1x3x4xbf16>, tensor<1x1x3x4xbf16>, tensor<i64>, tensor<i64>) -> (tensor<1x1x3x4xbf16>, tensor<1x1x3xf32>)
func.func @attention_dropped(%x: tensor<1x1x3x4xbf16>, %seed: tensor<i64>, %step: tensor<i64>) -> tensor<1x1x3x4xbf16> {
  %r:2 = sinter.attention %x, %x, %x seed %seed step %step {scale = 0.5 : f64, p = 0.25 : f64, stream = 7 : i64} : (tensor<1x1x3x4xbf16>, tensor<1x1x3x4xbf16>, tensor<1x1x3x4xbf16>, tensor<i64>, tensor<i64>) -> (tensor<1x1x3x4xbf16>, tensor<1x1x3xf32>)
  return %r#0 : tensor<1x1x3x4xbf16>
}

// CHECK-LABEL: func.func @attention_backward(
// CHECK: sinter.attention_backward %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} {scale = 5.000000e-01 : f64} : (tensor<2x4x3x6xf32>, tensor<2x4x3x8xf32>, tensor<2x2x5x8xf32>, tensor<2x2x5x6xf32>, tensor<2x4x3xf32>, tensor<2x4x3xf32>) -> (tensor<2x4x3x8xf32>, tensor<2x2x5x8xf32>, tensor<2x2x5x6xf32>)
func.func @attention_backward(%g: tensor<2x4x3x6xf32>, %q: tensor<2x4x3x8xf32>, %k: tensor<2x2x5x8xf32>, %v: tensor<2x2x5x6xf32>, %l: tensor<2x4x3xf32>, %d: tensor<2x4x3xf32>) -> (tensor<2x4x3x8xf32>, tensor<2x2x5x8xf32>, tensor<2x2x5x6xf32>) {
  %r:3 = sinter.attention_backward %g, %q, %k, %v, %l, %d {scale = 0.5 : f64} : (tensor<2x4x3x6xf32>, tensor<2x4x3x8xf32>, tensor<2x2x5x8xf32>, tensor<2x2x5x6xf32>, tensor<2x4x3xf32>, tensor<2x4x3xf32>) -> (tensor<2x4x3x8xf32>, tensor<2x2x5x8xf32>, tensor<2x2x5x6xf32>)
  return %r#0, %r#1, %r#2 : tensor<2x4x3x8xf32>, tensor<2x2x5x8xf32>, tensor<2x2x5x6xf32>
}
