#include "sinter/ir/Sinter.h"

using namespace mlir;
using namespace sinter::ir;

SmallVector<AffineMap> BroadcastOp::getIndexingMaps() { return {}; }
SmallVector<AffineMap> RelayoutOp::getIndexingMaps() { return {}; }
SmallVector<AffineMap> SliceOp::getIndexingMaps() { return {}; }
SmallVector<AffineMap> StopGradientOp::getIndexingMaps() { return {}; }
SmallVector<AffineMap> TransposeOp::getIndexingMaps() { return {}; }
