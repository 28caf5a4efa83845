// RUN: sinter-opt %s | sinter-opt | FileCheck %s
// Every op of this family prints what it parses.

// CHECK-LABEL: func.func @add(
// CHECK: sinter.add %{{.+}}, %{{.+}} : tensor<2x3xf32>
func.func @add(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.add %a, %b : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @sub(
// CHECK: sinter.sub %{{.+}}, %{{.+}} : tensor<2x3xf32>
func.func @sub(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.sub %a, %b : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @mul(
// CHECK: sinter.mul %{{.+}}, %{{.+}} : tensor<2x3xf32>
func.func @mul(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.mul %a, %b : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @div(
// CHECK: sinter.div %{{.+}}, %{{.+}} : tensor<2x3xf32>
func.func @div(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.div %a, %b : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @floor_divide(
// CHECK: sinter.floor_divide %{{.+}}, %{{.+}} : tensor<2x3xf32>
func.func @floor_divide(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.floor_divide %a, %b : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @remainder(
// CHECK: sinter.remainder %{{.+}}, %{{.+}} : tensor<2x3xf32>
func.func @remainder(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.remainder %a, %b : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @pow(
// CHECK: sinter.pow %{{.+}}, %{{.+}} : tensor<2x3xf32>
func.func @pow(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.pow %a, %b : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @maximum(
// CHECK: sinter.maximum %{{.+}}, %{{.+}} : tensor<2x3xf32>
func.func @maximum(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.maximum %a, %b : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @minimum(
// CHECK: sinter.minimum %{{.+}}, %{{.+}} : tensor<2x3xf32>
func.func @minimum(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.minimum %a, %b : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @neg(
// CHECK: sinter.neg %{{.+}} : tensor<2x3xf32>
func.func @neg(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.neg %x : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @abs(
// CHECK: sinter.abs %{{.+}} : tensor<2x3xf32>
func.func @abs(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.abs %x : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @sign(
// CHECK: sinter.sign %{{.+}} : tensor<2x3xf32>
func.func @sign(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.sign %x : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @floor(
// CHECK: sinter.floor %{{.+}} : tensor<2x3xf32>
func.func @floor(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.floor %x : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @ceil(
// CHECK: sinter.ceil %{{.+}} : tensor<2x3xf32>
func.func @ceil(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.ceil %x : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @exp(
// CHECK: sinter.exp %{{.+}} : tensor<2x3xf32>
func.func @exp(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.exp %x : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @log(
// CHECK: sinter.log %{{.+}} : tensor<2x3xf32>
func.func @log(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.log %x : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @log1p(
// CHECK: sinter.log1p %{{.+}} : tensor<2x3xf32>
func.func @log1p(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.log1p %x : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @sqrt(
// CHECK: sinter.sqrt %{{.+}} : tensor<2x3xf32>
func.func @sqrt(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.sqrt %x : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @rsqrt(
// CHECK: sinter.rsqrt %{{.+}} : tensor<2x3xf32>
func.func @rsqrt(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.rsqrt %x : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @sin(
// CHECK: sinter.sin %{{.+}} : tensor<2x3xf32>
func.func @sin(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.sin %x : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @cos(
// CHECK: sinter.cos %{{.+}} : tensor<2x3xf32>
func.func @cos(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.cos %x : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @tanh(
// CHECK: sinter.tanh %{{.+}} : tensor<2x3xf32>
func.func @tanh(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.tanh %x : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @sigmoid(
// CHECK: sinter.sigmoid %{{.+}} : tensor<2x3xf32>
func.func @sigmoid(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.sigmoid %x : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @erf(
// CHECK: sinter.erf %{{.+}} : tensor<2x3xf32>
func.func @erf(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.erf %x : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @relu(
// CHECK: sinter.relu %{{.+}} : tensor<2x3xf32>
func.func @relu(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.relu %x : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @gelu(
// CHECK: sinter.gelu %{{.+}} {approximate = "tanh"} : tensor<2x3xf32>
func.func @gelu(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.gelu %x {approximate = "tanh"} : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @clamp(
// CHECK: sinter.clamp %{{.+}} {max = 1.000000e+00 : f64, min = -1.000000e+00 : f64} : tensor<2x3xf32>
func.func @clamp(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.clamp %x {max = 1.000000e+00 : f64, min = -1.000000e+00 : f64} : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @compare(
// CHECK: sinter.compare lt %{{.+}}, %{{.+}} : tensor<2x3xf32>{{$}}
// CHECK: sinter.compare eq %{{.+}}, %{{.+}} : tensor<2x3xf32>{{$}}
func.func @compare(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xi1> {
  %r = sinter.compare lt %a, %b : tensor<2x3xf32>
  %all_types = sinter.compare eq %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xi1>
  return %r : tensor<2x3xi1>
}

// CHECK-LABEL: func.func @logical_and(
// CHECK: sinter.logical_and %{{.+}}, %{{.+}} : tensor<4xi1>
func.func @logical_and(%a: tensor<4xi1>, %b: tensor<4xi1>) -> tensor<4xi1> {
  %r = sinter.logical_and %a, %b : tensor<4xi1>
  return %r : tensor<4xi1>
}

// CHECK-LABEL: func.func @logical_or(
// CHECK: sinter.logical_or %{{.+}}, %{{.+}} : tensor<4xi1>
func.func @logical_or(%a: tensor<4xi1>, %b: tensor<4xi1>) -> tensor<4xi1> {
  %r = sinter.logical_or %a, %b : tensor<4xi1>
  return %r : tensor<4xi1>
}

// CHECK-LABEL: func.func @logical_not(
// CHECK: sinter.logical_not %{{.+}} : tensor<4xi1>
func.func @logical_not(%x: tensor<4xi1>) -> tensor<4xi1> {
  %r = sinter.logical_not %x : tensor<4xi1>
  return %r : tensor<4xi1>
}

// CHECK-LABEL: func.func @is_finite(
// CHECK: sinter.is_finite %{{.+}} : (tensor<2x3xf32>) -> tensor<2x3xi1>
func.func @is_finite(%x: tensor<2x3xf32>) -> tensor<2x3xi1> {
  %r = sinter.is_finite %x : (tensor<2x3xf32>) -> tensor<2x3xi1>
  return %r : tensor<2x3xi1>
}

// CHECK-LABEL: func.func @select(
// CHECK-COUNT-2: sinter.select %{{.+}}, %{{.+}}, %{{.+}} : tensor<2x3xf32>{{$}}
func.func @select(%c: tensor<2x3xi1>, %a: tensor<2x3xf32>, %b: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.select %c, %a, %b : tensor<2x3xf32>
  %all_types = sinter.select %c, %b, %a : (tensor<2x3xi1>, tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @cast(
// CHECK: sinter.cast %{{.+}} : (tensor<2x3xf32>) -> tensor<2x3xbf16>
func.func @cast(%x: tensor<2x3xf32>) -> tensor<2x3xbf16> {
  %r = sinter.cast %x : (tensor<2x3xf32>) -> tensor<2x3xbf16>
  return %r : tensor<2x3xbf16>
}

// CHECK-LABEL: func.func @silu(
// CHECK: sinter.silu %{{.+}} : tensor<2x3xf32>
func.func @silu(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.silu %x : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @elu(
// CHECK: sinter.elu %{{.+}} {alpha = 5.000000e-01 : f64} : tensor<2x3xf32>
func.func @elu(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.elu %x {alpha = 5.000000e-01 : f64} : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @softplus(
// CHECK: sinter.softplus %{{.+}} {beta = 2.000000e+00 : f64} : tensor<2x3xf32>
func.func @softplus(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.softplus %x {beta = 2.000000e+00 : f64} : tensor<2x3xf32>
  return %r : tensor<2x3xf32>
}
