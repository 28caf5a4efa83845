// Every record of the dialect, in one file for TableGen.
include "sinter/ir/Elementwise.td"
include "sinter/ir/Reduction.td"
include "sinter/ir/Contraction.td"
include "sinter/ir/Shape.td"
include "sinter/ir/Nn.td"
include "sinter/ir/Random.td"
include "sinter/ir/Scan.td"
include "sinter/ir/Kernel.td"
