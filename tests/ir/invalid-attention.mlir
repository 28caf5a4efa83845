// RUN: sinter-opt %s -split-input-file -verify-diagnostics
// What the verifiers of this family refuse, and in which words.

func.func @rank(%x: tensor<3x4xf32>) {
  // expected-error @+2 {{attention: query has shape [3, 4], expected [batch, heads, length, features]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r:2 = sinter.attention %x, %x, %x {scale = 0.5 : f64} : (tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3xf32>)
  return
}

// -----
func.func @heads(%q: tensor<1x3x4x8xf32>, %k: tensor<1x2x4x8xf32>) {
  // expected-error @+2 {{attention: query [1, 3, 4, 8] and key [1, 2, 4, 8] differ in batch or features, or the query's heads are no multiple of the key's}}
  // expected-error @+1 {{failed to infer returned types}}
  %r:2 = sinter.attention %q, %k, %k {scale = 0.5 : f64} : (tensor<1x3x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>) -> (tensor<1x3x4x8xf32>, tensor<1x3x4xf32>)
  return
}

// -----
func.func @value(%q: tensor<1x2x4x8xf32>, %v: tensor<1x2x5x8xf32>) {
  // expected-error @+2 {{attention: key [1, 2, 4, 8] and value [1, 2, 5, 8] differ in batch, heads or length}}
  // expected-error @+1 {{failed to infer returned types}}
  %r:2 = sinter.attention %q, %q, %v {scale = 0.5 : f64} : (tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x5x8xf32>) -> (tensor<1x2x4x8xf32>, tensor<1x2x4xf32>)
  return
}

// -----
func.func @types(%q: tensor<1x2x4x8xf32>, %k: tensor<1x2x4x8xbf16>) {
  // expected-error @+2 {{attention: query is f32[1, 2, 4, 8], key is bf16[1, 2, 4, 8]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r:2 = sinter.attention %q, %k, %q {scale = 0.5 : f64} : (tensor<1x2x4x8xf32>, tensor<1x2x4x8xbf16>, tensor<1x2x4x8xf32>) -> (tensor<1x2x4x8xf32>, tensor<1x2x4xf32>)
  return
}

// -----
func.func @mask(%q: tensor<1x2x4x8xf32>, %m: tensor<1x1x4x3xi1>) {
  // expected-error @+2 {{attention: mask has shape [1, 1, 4, 3], which does not broadcast to [1, 2, 4, 4]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r:2 = sinter.attention %q, %q, %q mask %m {scale = 0.5 : f64} : (tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x1x4x3xi1>) -> (tensor<1x2x4x8xf32>, tensor<1x2x4xf32>)
  return
}

// -----
func.func @drop(%q: tensor<1x2x4x8xf32>) {
  // expected-error @+2 {{attention: seed and step belong to p > 0}}
  // expected-error @+1 {{failed to infer returned types}}
  %r:2 = sinter.attention %q, %q, %q {scale = 0.5 : f64, p = 0.5 : f64} : (tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>, tensor<1x2x4x8xf32>) -> (tensor<1x2x4x8xf32>, tensor<1x2x4xf32>)
  return
}

// -----
func.func @logs(%q: tensor<1x2x4x8xbf16>, %l: tensor<1x2x4xbf16>) {
  // expected-error @+2 {{attention_backward: logsumexp and delta are bf16[1, 2, 4], expected f32[1, 2, 4]}}
  // expected-error @+1 {{failed to infer returned types}}
  %r:3 = sinter.attention_backward %q, %q, %q, %q, %l, %l {scale = 0.5 : f64} : (tensor<1x2x4x8xbf16>, tensor<1x2x4x8xbf16>, tensor<1x2x4x8xbf16>, tensor<1x2x4x8xbf16>, tensor<1x2x4xbf16>, tensor<1x2x4xbf16>) -> (tensor<1x2x4x8xbf16>, tensor<1x2x4x8xbf16>, tensor<1x2x4x8xbf16>)
  return
}
