#include "sinter/check/Inputs.h"

#include "sinter/check/GraphWriter.h"
#include "sinter/ir/Sinter.h"

#include "mlir/AsmParser/AsmParser.h"
#include "llvm/ADT/TypeSwitch.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace mlir;

namespace sinter::check {

const char *nameOf(Draw draw) {
  static const char *const names[] = {"plain", "edges", "a NaN", "an infinity"};
  return names[int(draw)];
}

/// What `index`, an integer, may count to where it is used: the smallest size that it picks from.
static int64_t indexLimit(Value index, int depth = 0) {
  int64_t limit = 8;
  for (OpOperand &use : index.getUses()) {
    unsigned number = use.getOperandNumber();
    int64_t here =
        TypeSwitch<Operation *, int64_t>(use.getOwner())
            .Case([&](ir::EmbeddingOp op) { return ir::shapeOf(op.getWeight())[0]; })
            .Case([&](ir::EmbeddingGradOp op) { return ir::shapeOf(op.getResult())[0]; })
            .Case([&](ir::GatherOp op) {
              return number == 1 ? ir::shapeOf(op.getX())[op.getDim()] : 8;
            })
            .Case([&](ir::ScatterAddOp op) {
              return number == 1 ? ir::shapeOf(op.getX())[op.getDim()] : 8;
            })
            .Case([&](ir::OneHotOp op) { return ir::shapeOf(op.getResult()).back(); })
            .Case<ir::CrossEntropyOp, ir::CrossEntropyGradOp>(
                [&](auto op) { return ir::shapeOf(op.getLogits())[1]; })
            .Case<ir::ReshapeOp, ir::BroadcastOp, ir::TransposeOp, ir::SliceOp, ir::CastOp,
                  ir::ConcatOp, ir::StopGradientOp, ir::FusionBarrierOp>([&](Operation *op) {
              return depth < 8 ? indexLimit(op->getResult(0), depth + 1) : 8;
            })
            .Default([](Operation *) { return 8; });
    limit = std::min(limit, std::max<int64_t>(here, 1));
  }
  return limit;
}

/// How many numbers of a parameter meet in one of a layer's results.
static double fanIn(RankedTensorType type) {
  if (type.getRank() < 2) return 4;
  return double(type.getNumElements()) / double(std::max<int64_t>(type.getDimSize(0), 1));
}

static double drawNumber(Dice &dice, Draw draw, double low, double high) {
  static const std::vector<double> edges{0, -0.0, 0.5, -0.5, 1, -1, 2, -2};
  if (draw == Draw::edges) return std::clamp(dice.pick(edges), low, high);
  return dice.uniform(low, high);
}

Values drawInputs(func::FuncOp function, uint64_t seed, Draw draw) {
  Dice dice(seed * 0x9E3779B97F4A7C15ull + 77);
  Values values;
  for (BlockArgument argument : function.getArguments()) {
    auto type = cast<RankedTensorType>(argument.getType());
    Type element = type.getElementType();
    StringRef role = ir::roleOf(argument);
    std::vector<double> numbers(type.getNumElements());
    for (double &x : numbers) {
      if (isa<FloatType>(element)) {
        double bound = 1 / std::sqrt(fanIn(type));
        if (role == "scalar")
          x = dice.uniform(0.01, 0.1);
        else if (role == "state")
          x = drawNumber(dice, draw, 0, 1);
        else if (role == "parameter")
          x = drawNumber(dice, draw, -bound, bound);
        else
          x = drawNumber(dice, draw, -2, 2);
      } else if (element.isInteger(1)) {
        x = double(dice.upTo(2));
      } else if (role == "seed") {
        x = double(dice.upTo(1 << 30));
      } else if (role == "state" || role == "scalar") {
        x = double(dice.between(1, 5)); // a step: the first one is 1
      }
    }
    if (role == "input" && isa<IntegerType>(element) && !element.isInteger(1)) {
      int64_t limit = indexLimit(argument);
      for (double &x : numbers) x = double(dice.upTo(limit));
    }
    values.push_back(codegen::fromNumbers(type, numbers));
  }
  std::vector<bool> isInput;
  for (BlockArgument argument : function.getArguments())
    isInput.push_back(ir::roleOf(argument) == "input");
  plantSpecial(values, draw, seed, isInput);
  return values;
}

void plantSpecial(Values &values, Draw draw, uint64_t seed, const std::vector<bool> &mayBe) {
  if (draw != Draw::nan && draw != Draw::infinity) return;
  Dice dice(seed * 31 + uint64_t(draw));
  std::vector<size_t> floats;
  for (size_t i = 0; i < values.size(); ++i)
    if (!values[i].values.empty() && mayBe[i]) floats.push_back(i);
  if (floats.empty()) return;
  std::vector<double> &numbers = values[dice.pick(floats)].values;
  numbers[size_t(dice.upTo(int64_t(numbers.size())))] =
      draw == Draw::nan ? std::nan("") : std::numeric_limits<double>::infinity();
}

Values inputsOf(MLIRContext *context, const RandomGraph &graph, uint64_t round) {
  Dice dice(graph.seed + 12345 + round * 1000003);
  Values values;
  for (const RandomInput &input : graph.inputs) {
    std::string text =
        "tensor<" + input.shape + (input.shape.empty() ? "" : "x") + input.element + ">";
    auto type = cast<RankedTensorType>(parseType(text, context));
    std::vector<double> numbers(type.getNumElements());
    bool real = isa<FloatType>(type.getElementType());
    for (double &x : numbers)
      x = real ? dice.uniform(input.low, input.high)
               : double(dice.between(int64_t(input.low), int64_t(input.high)));
    values.push_back(codegen::fromNumbers(type, numbers));
  }
  return values;
}

} // namespace sinter::check
