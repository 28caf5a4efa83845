func.func @f(%x: tensor<5x7xf32>, %w: tensor<7x3xf32>, %b: tensor<3xf32>) -> tensor<5x3xf32> {
  %0 = sinter.matmul %x, %w : (tensor<5x7xf32>, tensor<7x3xf32>) -> tensor<5x3xf32>
  %1 = sinter.broadcast %b : (tensor<3xf32>) -> tensor<5x3xf32>
  %2 = sinter.add %0, %1 : tensor<5x3xf32>
  %3 = sinter.tanh %2 : tensor<5x3xf32>
  return %3 : tensor<5x3xf32>
}
func.func @g(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = sinter.exp %x : tensor<2xf32>
  return %0 : tensor<2xf32>
}
