// RUN: sinter-opt %s -split-input-file -verify-diagnostics
// What the verifier of a scan refuses, and in which words.

func.func @arguments(%h: tensor<2xf32>, %x: tensor<5x2xf32>) {
  // expected-error @+1 {{scan: the region has 1 arguments, expected 2}}
  %r = sinter.scan init(%h) xs(%x) captures() attributes {count = 5 : i64} : (tensor<2xf32>, tensor<5x2xf32>) -> tensor<2xf32> {
  ^bb0(%state: tensor<2xf32>):
    sinter.yield %state : tensor<2xf32>
  }
  return
}

// -----
func.func @slices(%h: tensor<2xf32>, %x: tensor<4x2xf32>) {
  // expected-error @+1 {{scan: f32[4, 2] has not the 5 slices of the steps}}
  %r = sinter.scan init(%h) xs(%x) captures() attributes {count = 5 : i64} : (tensor<2xf32>, tensor<4x2xf32>) -> tensor<2xf32> {
  ^bb0(%state: tensor<2xf32>, %slice: tensor<2xf32>):
    sinter.yield %state : tensor<2xf32>
  }
  return
}

// -----
func.func @slice_type(%h: tensor<2xf32>, %x: tensor<5x2xf32>) {
  // expected-error @+1 {{scan: argument 1 of the region is f32[5, 2], expected f32[2]}}
  %r = sinter.scan init(%h) xs(%x) captures() attributes {count = 5 : i64} : (tensor<2xf32>, tensor<5x2xf32>) -> tensor<2xf32> {
  ^bb0(%state: tensor<2xf32>, %slice: tensor<5x2xf32>):
    sinter.yield %state : tensor<2xf32>
  }
  return
}

// -----
func.func @number_of_results(%h: tensor<2xf32>) {
  // expected-error @+1 {{scan: the region yields 2 values for 1 of state and 1 results}}
  %r = sinter.scan init(%h) xs() captures() attributes {count = 5 : i64} : (tensor<2xf32>) -> tensor<2xf32> {
  ^bb0(%state: tensor<2xf32>):
    sinter.yield %state, %state : tensor<2xf32>, tensor<2xf32>
  }
  return
}

// -----
func.func @state_type(%h: tensor<2xf32>) {
  // expected-error @+1 {{scan: state 0 starts as f32[2], a step leaves bf16[2]}}
  %r = sinter.scan init(%h) xs() captures() attributes {count = 5 : i64} : (tensor<2xf32>) -> tensor<2xbf16> {
  ^bb0(%state: tensor<2xf32>):
    %n = sinter.cast %state : (tensor<2xf32>) -> tensor<2xbf16>
    sinter.yield %n : tensor<2xbf16>
  }
  return
}

// -----
func.func @stacked_type(%h: tensor<2xf32>) {
  // expected-error @+1 {{scan: result 1 is f32[4, 2], expected f32[5, 2]}}
  %r:2 = sinter.scan init(%h) xs() captures() attributes {count = 5 : i64} : (tensor<2xf32>) -> (tensor<2xf32>, tensor<4x2xf32>) {
  ^bb0(%state: tensor<2xf32>):
    sinter.yield %state, %state : tensor<2xf32>, tensor<2xf32>
  }
  return
}

// -----
func.func @saved(%h: tensor<2xf32>) {
  // expected-error @+1 {{scan: saved is 1, there are 0 outputs of steps}}
  %r = sinter.scan init(%h) xs() captures() attributes {count = 5 : i64, saved = 1 : i64} : (tensor<2xf32>) -> tensor<2xf32> {
  ^bb0(%state: tensor<2xf32>):
    sinter.yield %state : tensor<2xf32>
  }
  return
}
