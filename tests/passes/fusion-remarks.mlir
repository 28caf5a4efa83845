// Each edge of the ledger as a remark, on the terminal and as YAML.
// RUN: sinter-opt %s --sinter-fusion --remarks -o /dev/null 2>&1 | FileCheck %s
// RUN: sinter-opt %s --sinter-fusion --remarks=%t.yaml -o /dev/null
// RUN: FileCheck %s --check-prefix=YAML < %t.yaml
// RUN: sinter-opt %s --sinter-fusion --remarks-filter-missed=sinter-fusion -o /dev/null 2>&1 | FileCheck %s --check-prefix=MISSED
// RUN: sinter-opt %s --sinter-fusion -o /dev/null 2>&1 | FileCheck %s --check-prefix=QUIET --allow-empty

// CHECK: model.cpp:4:1: remark: [Passed] fused | Category:sinter-fusion
// CHECK-SAME: Bytes={{"?}}64
// CHECK-SAME: Consumer={{"?}}relu
// CHECK-SAME: Producer={{"?}}matmul
// CHECK-SAME: Remark="matmul (%0, model.cpp:3) and relu (%1, model.cpp:4) are one kernel
// CHECK: model.cpp:5:1: remark: [Missed] second_contraction | Category:sinter-fusion
// CHECK-SAME: Bytes={{"?}}64
// CHECK-SAME: ConsumerLine={{"?}}model.cpp:5
// CHECK-SAME: ProducerLine={{"?}}model.cpp:4
// CHECK-SAME: Remark="relu (%1, model.cpp:4) and matmul (%2, model.cpp:5) are not one kernel: second_contraction

// YAML: --- !Passed
// YAML: Pass: sinter-fusion
// YAML: Name: fused
// YAML: DebugLoc: { File: {{'?}}model.cpp{{'?}}, Line: 4, Column: 1 }
// YAML: Function: f
// YAML: --- !Missed
// YAML: Name: second_contraction
// YAML: DebugLoc: { File: {{'?}}model.cpp{{'?}}, Line: 5, Column: 1 }

// MISSED-NOT: [Passed]
// MISSED: [Missed] second_contraction
// QUIET-NOT: remark
func.func @f(%a: tensor<4x4xf32>, %b: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %x = sinter.matmul %a, %b : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32> loc("model.cpp":3:1)
  %r = sinter.relu %x : tensor<4x4xf32> loc("model.cpp":4:1)
  %y = sinter.matmul %r, %b : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32> loc("model.cpp":5:1)
  return %y : tensor<4x4xf32>
}
