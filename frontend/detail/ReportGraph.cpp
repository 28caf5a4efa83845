#include "sinter/frontend/detail/Origin.h"
#include "sinter/frontend/detail/PrintedLines.h"
#include "sinter/frontend/detail/Report.h"
#include "sinter/frontend/detail/Traced.h"
#include "sinter/ir/KernelKinds.h"
#include "sinter/ir/Segments.h"

#include <cmath>

using namespace mlir;

namespace sinter::detail {

static Value throughReshapes(Value value) {
  while (auto reshape = value.getDefiningOp<ir::ReshapeOp>()) value = reshape.getX();
  return value;
}

static std::string nameOf(func::FuncOp function, BlockArgument argument) {
  auto name = function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), ir::nameAttr);
  return name ? name.getValue().str() : "arg" + std::to_string(argument.getArgNumber());
}

static std::string typeText(Type type) {
  return isa<RankedTensorType>(type) ? specOf(type).text() : "";
}

static int64_t bytesOf(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return tensor.getNumElements() * std::max<int64_t>(1, tensor.getElementTypeBitWidth() / 8);
}

/// "{kernel_size = array<i64: 2, 2>}" without what the names say already.
static std::string attributesText(Operation *op) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  for (NamedAttribute attribute : op->getAttrs()) {
    if (attribute.getName().strref().starts_with("sinter.")) continue;
    stream << (text.empty() ? "" : ", ") << attribute.getName().strref() << " = ";
    if (auto list = dyn_cast<DenseI64ArrayAttr>(attribute.getValue())) {
      stream << "[";
      llvm::interleaveComma(list.asArrayRef(), stream);
      stream << "]";
    } else {
      attribute.getValue().print(stream, /*elideType=*/true);
    }
  }
  if (text.size() > 200) {
    text.resize(197);
    text += "...";
  }
  return text;
}

/// Nodes and edges of one function: `value` is what a value is a result of.
class GraphBuilder {
public:
  using Json = nlohmann::ordered_json;
  explicit GraphBuilder(func::FuncOp function) : function(function) {
    for (BlockArgument argument : function.getArguments())
      if (ir::roleOf(argument) == "input")
        nodeOf[argument] = add({{"op", "input"},
                                {"name", nameOf(function, argument)},
                                {"type", typeText(argument.getType())},
                                {"bytes", bytesOf(argument.getType())}});
  }

  size_t add(Json node) {
    nodes.push_back(std::move(node));
    return nodes.size() - 1;
  }
  void read(size_t node, Value value, bool lookThrough) {
    if (lookThrough) value = throughReshapes(value);
    if (auto known = nodeOf.find(value); known != nodeOf.end()) {
      if (edges.insert({known->second, node}).second)
        list.push_back({known->second, node, typeText(value.getType())});
      return;
    }
    auto argument = dyn_cast<BlockArgument>(value);
    if (argument && argument.getOwner() == &function.getBody().front())
      nodes[node]["reads"].push_back(nameOf(function, argument));
  }
  /// What the function returns: state that is replaced is noted on the node, the rest is a node.
  void finish(bool lookThrough) {
    std::map<unsigned, std::string> replaced;
    for (BlockArgument argument : function.getArguments())
      if (auto result =
              function.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), ir::donatedAttr))
        replaced[static_cast<unsigned>(result.getInt())] = nameOf(function, argument);
    for (OpOperand &operand : function.getBody().front().getTerminator()->getOpOperands()) {
      Value value = lookThrough ? throughReshapes(operand.get()) : operand.get();
      auto known = nodeOf.find(value);
      if (auto variable = replaced.find(operand.getOperandNumber()); variable != replaced.end()) {
        if (known != nodeOf.end()) nodes[known->second]["writes"].push_back(variable->second);
        continue;
      }
      auto name =
          function.getResultAttrOfType<StringAttr>(operand.getOperandNumber(), ir::nameAttr);
      size_t node = add({{"op", "output"},
                         {"name", name ? name.getValue().str()
                                       : "out" + std::to_string(operand.getOperandNumber())},
                         {"type", typeText(value.getType())},
                         {"bytes", bytesOf(value.getType())}});
      read(node, operand.get(), lookThrough);
    }
  }
  Json take() { return {{"nodes", std::move(nodes)}, {"edges", std::move(list)}}; }

  llvm::DenseMap<Value, size_t> nodeOf; // looked up only

private:
  func::FuncOp function;
  Json nodes = Json::array(), list = Json::array();
  std::set<std::pair<size_t, size_t>> edges;
};

Report::Json Report::graphOf(func::FuncOp function) {
  GraphBuilder graph(function);
  for (Operation &op : function.getBody().front().without_terminator()) {
    if (isa<ir::ConstantOp>(op)) continue;
    Json node = {{"op", op.getName().stripDialect().str()}};
    if (op.getNumResults()) {
      node["type"] = typeText(op.getResult(0).getType());
      node["bytes"] = bytesOf(op.getResult(0).getType());
    }
    if (std::string attributes = attributesText(&op); !attributes.empty())
      node["with"] = attributes;
    node["at"] = at(op.getLoc());
    size_t index = graph.add(std::move(node));
    for (Value result : op.getResults()) graph.nodeOf[result] = index;
    for (Value operand : op.getOperands()) graph.read(index, operand, /*lookThrough=*/false);
  }
  graph.finish(/*lookThrough=*/false);
  return graph.take();
}

Report::Json Report::launchGraphOf(func::FuncOp function) {
  GraphBuilder graph(function);
  int64_t number = 0;
  for (auto launch : function.getBody().front().getOps<ir::LaunchOp>()) {
    size_t index = graph.add(
        {{"op", launch.getKernel().str()}, {"launch", number++}, {"at", at(launch.getLoc())}});
    for (Value result : launch.getResults()) graph.nodeOf[result] = index;
    for (Value operand : launch.getInputs()) graph.read(index, operand, /*lookThrough=*/true);
  }
  graph.finish(/*lookThrough=*/true);
  return graph.take();
}

Report::Json Report::kernelOf(ir::KernelOp kernel) {
  Block &body = kernel.getBody().front();
  Json ops = Json::array(), outputs = Json::array(), inputs = Json::array(), text = Json::array();
  int64_t flops = 0;
  kernel.getBody().walk([&](Operation *op) {
    auto fusible = dyn_cast<ir::FusibleOpInterface>(op);
    if (!fusible || isa<ir::ConstantOp>(op)) return;
    int64_t own = std::llround(double(fusible.getFlops()) * ir::timesRun(op));
    flops += own;
    ops.push_back({{"op", op->getName().stripDialect().str()},
                   {"type", typeText(op->getResult(0).getType())},
                   {"flops", own},
                   {"at", at(op->getLoc())}});
  });
  for (BlockArgument argument : body.getArguments()) inputs.push_back(typeText(argument.getType()));
  for (Value value : body.getTerminator()->getOperands()) {
    Value made = throughReshapes(value);
    // A stage's result is made inside of it.
    if (auto stage = made.getDefiningOp<ir::FusedOp>())
      made = throughReshapes(stage.getBody().front().getTerminator()->getOperand(
          cast<OpResult>(made).getResultNumber()));
    else if (auto segments = made.getDefiningOp<ir::SegmentsOp>())
      made = segments.getBody().front().getTerminator()->getOperand(
          cast<OpResult>(made).getResultNumber() % segments.getOutputsEach());
    Operation *op = made.getDefiningOp();
    outputs.push_back({{"type", typeText(value.getType())},
                       {"op", op ? op->getName().stripDialect().str() : "copy"},
                       {"at", at(op ? op->getLoc() : kernel.getLoc())}});
  }
  // Origins of each line, so that the page can join it with the user's.
  for (const PrintedLine &line : printedLines(kernel)) {
    bool hasOrigin = line.op && line.op != kernel.getOperation() && !isa<ir::ConstantOp>(line.op);
    Json row = Json::array({line.text});
    if (hasOrigin) row.push_back(at(line.op->getLoc()));
    text.push_back(std::move(row));
  }
  return {{"kind", ir::kindOf(kernel.getSchedule())
                       ? ir::nameOf(*ir::kindOf(kernel.getSchedule())).str()
                       : "custom"},
          {"flops", flops},
          {"ops", std::move(ops)},
          {"inputs", std::move(inputs)},
          {"outputs", std::move(outputs)},
          {"ir", std::move(text)},
          {"texts", Json::array()}};
}

} // namespace sinter::detail
