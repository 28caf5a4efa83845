// RUN: sinter-opt %s | sinter-opt | FileCheck %s
// Branches and loops print what they parse.

// CHECK-LABEL: func.func @cond(
// CHECK: sinter.cond %{{.+}} captures(%{{.+}}) : (tensor<i1>, tensor<2x3xf32>) -> tensor<2x3xf32> {
// CHECK-NEXT: ^bb0(%{{.+}}: tensor<2x3xf32>):
// CHECK: sinter.yield %{{.+}} : tensor<2x3xf32>
// CHECK: } else {
// CHECK: sinter.yield %{{.+}} : tensor<2x3xf32>
func.func @cond(%c: tensor<i1>, %x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %r = sinter.cond %c captures(%x) : (tensor<i1>, tensor<2x3xf32>) -> tensor<2x3xf32> {
  ^bb0(%a: tensor<2x3xf32>):
    %y = sinter.exp %a : tensor<2x3xf32>
    sinter.yield %y : tensor<2x3xf32>
  } else {
  ^bb0(%a: tensor<2x3xf32>):
    sinter.yield %a : tensor<2x3xf32>
  }
  return %r : tensor<2x3xf32>
}

// CHECK-LABEL: func.func @while(
// CHECK: sinter.while init(%{{.+}}, %{{.+}}) captures(%{{.+}}) : (tensor<i1>, tensor<f32>, tensor<f32>) -> (tensor<i1>, tensor<f32>) {
// CHECK-NEXT: ^bb0(%{{.+}}: tensor<i1>, %{{.+}}: tensor<f32>, %{{.+}}: tensor<f32>):
// CHECK: sinter.yield %{{.+}}, %{{.+}} : tensor<i1>, tensor<f32>
func.func @while(%x: tensor<f32>, %limit: tensor<f32>) -> tensor<f32> {
  %c = sinter.compare lt %x, %limit : (tensor<f32>, tensor<f32>) -> tensor<i1>
  %r:2 = sinter.while init(%c, %x) captures(%limit) : (tensor<i1>, tensor<f32>, tensor<f32>) -> (tensor<i1>, tensor<f32>) {
  ^bb0(%go: tensor<i1>, %state: tensor<f32>, %most: tensor<f32>):
    %twice = sinter.add %state, %state : tensor<f32>
    %next = sinter.compare lt %twice, %most : (tensor<f32>, tensor<f32>) -> tensor<i1>
    sinter.yield %next, %twice : tensor<i1>, tensor<f32>
  }
  return %r#1 : tensor<f32>
}
