#include "sinter/ir/Sinter.h"

using namespace mlir;
using namespace sinter::ir;

// Contractions are linear in either operand; their gradients are contractions of the same family, and
// so are those gradients' gradients.

void MatmulOp::buildVjp(Vjp &vjp) {
  Value g = vjp.cotangent(), a = getLhs(), b = getRhs();
  bool ta = getTransposeA(), tb = getTransposeB();
  if (!g) return;
  // With A' and B' the operands as multiplied: dA' = G B'^T, dB' = A'^T G, written so that each
  // result has its operand's storage order.
  if (vjp.needs(0))
    vjp.set(0, ta ? vjp.create<MatmulOp>(b, g, /*transpose_a=*/tb, /*transpose_b=*/true)
                  : vjp.create<MatmulOp>(g, b, /*transpose_a=*/false, /*transpose_b=*/!tb));
  if (vjp.needs(1))
    vjp.set(1, tb ? vjp.create<MatmulOp>(g, a, /*transpose_a=*/true, /*transpose_b=*/ta)
                  : vjp.create<MatmulOp>(a, g, /*transpose_a=*/!ta, /*transpose_b=*/false));
}

void Conv2dOp::buildVjp(Vjp &vjp) {
  Value g = vjp.cotangent();
  if (!g) return;
  if (vjp.needs(0))
    vjp.set(0, vjp.create<Conv2dInputGradOp>(getInput().getType(), g, getWeight(), getStride(),
                                             getPadding(), getDilation(), getGroups()));
  if (vjp.needs(1))
    vjp.set(1, vjp.create<Conv2dWeightGradOp>(getWeight().getType(), getInput(), g, getStride(),
                                              getPadding(), getDilation(), getGroups()));
}

void Conv2dInputGradOp::buildVjp(Vjp &vjp) {
  Value g = vjp.cotangent();
  if (!g) return;
  if (vjp.needs(0))
    vjp.set(0, vjp.create<Conv2dOp>(g, getWeight(), getStride(), getPadding(), getDilation(),
                                    getGroups()));
  if (vjp.needs(1))
    vjp.set(1, vjp.create<Conv2dWeightGradOp>(getWeight().getType(), g, getGrad(), getStride(),
                                              getPadding(), getDilation(), getGroups()));
}

void Conv2dWeightGradOp::buildVjp(Vjp &vjp) {
  Value g = vjp.cotangent();
  if (!g) return;
  if (vjp.needs(0))
    vjp.set(0, vjp.create<Conv2dInputGradOp>(getInput().getType(), getGrad(), g, getStride(),
                                             getPadding(), getDilation(), getGroups()));
  if (vjp.needs(1))
    vjp.set(1, vjp.create<Conv2dOp>(getInput(), g, getStride(), getPadding(), getDilation(),
                                    getGroups()));
}
