// Two independent kernels, each too large for fusion to make them one by itself.
// CHECK-LABEL: func.func @f
// CHECK: sinter.launch
// CHECK-NOT: sinter.launch
func.func @f(%x: tensor<256x1024xf32>, %y: tensor<256x1024xf32>) -> (tensor<256x1024xf32>, tensor<256x1024xf32>) {
  %0 = sinter.exp %x : tensor<256x1024xf32>
  %1 = sinter.tanh %y : tensor<256x1024xf32>
  return %0, %1 : tensor<256x1024xf32>, tensor<256x1024xf32>
}
