#include "sinter/ir/Segments.h"

#include "mlir/IR/IRMapping.h"

#include <map>

using namespace mlir;
using namespace sinter::ir;

static bool isScalar(Value value) { return tensorType(value).getRank() == 0; }

static RankedTensorType withShape(Type type, ArrayRef<int64_t> shape) {
  return RankedTensorType::get(shape, cast<RankedTensorType>(type).getElementType());
}

// Whether an op computes each element from those at the same place, or from scalars alone.
static bool isAtPoint(Operation *op) {
  if (auto constant = dyn_cast<ConstantOp>(op))
    return constant.getValue().isSplat() && isa<DenseElementsAttr>(constant.getValue());
  if (isa<BroadcastOp>(op)) return isScalar(op->getOperand(0));
  return isa<ScalarOpInterface>(op) && op->getNumResults() == 1;
}

SmallVector<Value> SegmentsOp::instantiate(OpBuilder &builder, ArrayRef<int64_t> shape,
                                           ValueRange shared, ValueRange inputs) {
  Block &block = getBody().front();
  IRMapping map;
  map.map(block.getArguments().take_front(shared.size()), shared);
  map.map(block.getArguments().drop_front(shared.size()), inputs);
  for (Operation &op : block.without_terminator()) {
    Operation *clone = builder.clone(op, map);
    for (Value result : clone->getResults())
      if (!isScalar(result)) result.setType(withShape(result.getType(), shape));
    if (auto constant = dyn_cast<ConstantOp>(clone); constant && !isScalar(constant.getResult()))
      constant.setValueAttr(cast<DenseElementsAttr>(constant.getValue())
                                .resizeSplat(cast<ShapedType>(constant.getType())));
  }
  SmallVector<Value> yielded;
  for (Value value : block.getTerminator()->getOperands())
    yielded.push_back(map.lookupOrDefault(value));
  return yielded;
}

LogicalResult SegmentsOp::verifyRegions() {
  Block &block = getBody().front();
  size_t shared = getShared().size(), arguments = block.getNumArguments();
  if (arguments <= shared || getInputs().empty() || getInputs().size() % (arguments - shared))
    return emitOpError("has ") << getInputs().size() << " inputs for a region of "
                               << int64_t(arguments) - int64_t(shared);
  if (getOutputsEach() == 0 || getOutputs().size() != size_t(getCount()) * getOutputsEach())
    return emitOpError("has ") << getOutputs().size() << " results of " << getCount()
                               << " segments, each of which yields " << getOutputsEach();
  if (TypeRange(ValueRange(block.getArguments().take_front(shared))) != getShared().getTypes() ||
      !llvm::all_of(getShared(), isScalar))
    return emitOpError("shares values that are no scalars, or not the region's first arguments");
  ArrayRef<int64_t> domain = ::shapeOf(block.getArgument(shared));
  if (domain.empty()) return emitOpError("has segments that are scalars");
  auto fits = [&](Type type, Type ofRegion, unsigned segment) {
    return type == withShape(ofRegion, shapeOfSegment(segment));
  };
  for (unsigned segment = 0; segment < getCount(); ++segment) {
    if (shapeOfSegment(segment).empty()) return emitOpError("has segments that are scalars");
    for (auto [input, argument] :
         llvm::zip(inputsOf(segment), block.getArguments().drop_front(shared)))
      if (!fits(input.getType(), argument.getType(), segment))
        return emitOpError("segment ") << segment << " has an input of " << input.getType()
                                       << " for an argument of " << argument.getType();
    for (auto [output, yielded] :
         llvm::zip(outputsOf(segment), block.getTerminator()->getOperands()))
      if (!fits(output.getType(), yielded.getType(), segment))
        return emitOpError("segment ") << segment << " has a result of " << output.getType()
                                       << " where " << yielded.getType() << " is yielded";
  }
  auto isInDomain = [&](Value value) {
    return !tensorType(value).getEncoding() && (isScalar(value) || ::shapeOf(value) == domain);
  };
  for (Operation &op : block.without_terminator())
    if (!isAtPoint(&op) || !llvm::all_of(op.getResults(), isInDomain))
      return op.emitOpError("is no pointwise op on scalars and the segment's shape");
  for (Value argument : block.getArguments())
    if (!isInDomain(argument)) return emitOpError("has arguments of several shapes");
  for (Value yielded : block.getTerminator()->getOperands())
    if (isScalar(yielded)) return emitOpError("yields a scalar");
  return success();
}

namespace {

// What a component computes, whatever the shape: equal keys, equal bodies.
class Component {
public:
  explicit Component(KernelBody body) : body(std::move(body)) {
    orderByUse();
    fits = describe();
  }

  KernelBody body;
  SmallVector<Value> shared, inputs; // in order of first use
  ArrayRef<int64_t> shape;
  std::vector<const void *> key;
  bool fits = false;

private:
  // Components may share what is spread from scalars, which then stands where the first of them wants it: each has
  // it just before its own first use.
  void orderByUse() {
    llvm::SmallPtrSet<Operation *, 32> left(body.ops.begin(), body.ops.end());
    SmallVector<Operation *> ordered;
    auto place = [&](auto &&self, Operation *op) -> void {
      if (!op || !left.erase(op)) return;
      for (Value operand : op->getOperands()) self(self, operand.getDefiningOp());
      ordered.push_back(op);
    };
    auto isFree = [](Operation *op) {
      return isa<ConstantOp, BroadcastOp>(op) || isScalar(op->getResult(0));
    };
    for (Operation *op : body.ops)
      if (!isFree(op)) place(place, op);
    for (Operation *op : body.ops) place(place, op); // what is yielded itself
    body.ops = std::move(ordered);
  }

  bool describe() {
    if (body.outputs.empty()) return false;
    shape = shapeOf(body.outputs.front());
    if (shape.empty()) return false;
    llvm::SmallDenseMap<Value, size_t> numbers; // of what is computed inside, and of inputs
    auto number = [&](size_t value) { key.push_back(reinterpret_cast<const void *>(value)); };
    auto type = [&](Value value) {
      if (tensorType(value).getEncoding() || (!isScalar(value) && shapeOf(value) != shape))
        return false;
      key.push_back(elementOf(value).getAsOpaquePointer());
      number(isScalar(value));
      return true;
    };
    size_t next = 0;
    auto use = [&](Value value) {
      auto [known, isNew] = numbers.try_emplace(value, next);
      if (isNew) {
        ++next;
        bool isShared = isScalar(value);
        if (!type(value)) return false;
        (isShared ? shared : inputs).push_back(value);
        if (isShared) key.push_back(value.getAsOpaquePointer()); // the very same for all
      }
      number(known->second);
      return true;
    };
    for (Operation *op : body.ops) {
      if (!isAtPoint(op)) return false;
      key.push_back(op->getName().getAsOpaquePointer());
      if (auto constant = dyn_cast<ConstantOp>(op)) {
        auto value = cast<DenseElementsAttr>(constant.getValue());
        key.push_back(value.getSplatValue<Attribute>().getAsOpaquePointer());
      } else {
        key.push_back(op->getAttrDictionary().getAsOpaquePointer());
        for (Value operand : op->getOperands())
          if (!use(operand)) return false;
      }
      if (!type(op->getResult(0))) return false;
      numbers[op->getResult(0)] = next++;
    }
    for (Value output : body.outputs) {
      if (isScalar(output)) return false;
      number(numbers.lookup(output));
    }
    auto isArgument = [](Value value) { return isa<BlockArgument>(value); };
    return !inputs.empty() && llvm::all_of(inputs, isArgument) && llvm::all_of(shared, isArgument);
  }
};

} // namespace

void sinter::ir::gatherSegments(Block &block) {
  std::vector<std::vector<Component>> sets;          // of equal ones, in order of first appearance
  std::map<std::vector<const void *>, size_t> setOf; // looked up only
  for (KernelBody &body : componentsOf(KernelBody::of(block))) {
    Component component(std::move(body));
    if (!component.fits) continue;
    auto [it, isNew] = setOf.try_emplace(component.key, sets.size());
    if (isNew) sets.emplace_back();
    sets[it->second].push_back(std::move(component));
  }
  OpBuilder builder(block.getTerminator());
  MLIRContext *context = builder.getContext();
  for (std::vector<Component> &set : sets) {
    if (set.size() < 2) continue;
    Component &first = set.front();
    SmallVector<Value> inputs;
    SmallVector<Type> types;
    for (Component &each : set) {
      llvm::append_range(inputs, each.inputs);
      for (Value output : each.body.outputs) types.push_back(output.getType());
    }
    SmallVector<Location> locations; // of an op, of all segments
    SmallVector<Location> all;
    for (size_t op = 0; op < first.body.ops.size(); ++op) {
      SmallVector<Location> same;
      for (Component &each : set) same.push_back(each.body.ops[op]->getLoc());
      locations.push_back(FusedLoc::get(context, same));
      if (!isa<ConstantOp>(first.body.ops[op])) llvm::append_range(all, same);
    }
    auto segments =
        SegmentsOp::create(builder, FusedLoc::get(context, all), types, first.shared, inputs);
    Block *body = &segments.getBody().emplaceBlock();
    IRMapping map;
    for (ArrayRef<Value> outside : {ArrayRef<Value>(first.shared), ArrayRef<Value>(first.inputs)})
      for (Value value : outside)
        map.map(value, body->addArgument(value.getType(), value.getLoc()));
    OpBuilder within = OpBuilder::atBlockEnd(body);
    for (auto [op, location] : llvm::zip(first.body.ops, locations))
      within.clone(*op, map)->setLoc(location);
    SmallVector<Value> yielded;
    for (Value output : first.body.outputs) yielded.push_back(map.lookup(output));
    YieldOp::create(within, segments.getLoc(), yielded);
    for (auto [number, each] : llvm::enumerate(set))
      for (auto [output, result] : llvm::zip(each.body.outputs, segments.outputsOf(number)))
        output.replaceUsesWithIf(
            result, [&](OpOperand &use) { return use.getOwner() == block.getTerminator(); });
  }
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (isOpTriviallyDead(&op)) op.erase();
}

SmallVector<Value> sinter::ir::segmentAlone(SegmentsOp segments, unsigned segment,
                                            OpBuilder &builder, ValueRange shared,
                                            ValueRange inputs) {
  Block *block = builder.getInsertionBlock();
  auto place = builder.getInsertionPoint();
  Operation *before = place == block->begin() ? nullptr : &*std::prev(place);
  SmallVector<Value> yielded =
      segments.instantiate(builder, segments.shapeOfSegment(segment), shared, inputs);
  for (Operation &op :
       llvm::make_range(before ? std::next(before->getIterator()) : block->begin(), place)) {
    // Where an op's location has one for each segment, its own.
    auto all = dyn_cast<FusedLoc>(op.getLoc());
    if (all && all.getLocations().size() == segments.getCount())
      op.setLoc(all.getLocations()[segment]);
  }
  return yielded;
}

void sinter::ir::spreadSegments(Block &block) {
  for (auto segments : llvm::make_early_inc_range(block.getOps<SegmentsOp>())) {
    OpBuilder builder(segments);
    for (unsigned segment = 0; segment < segments.getCount(); ++segment)
      for (auto [output, value] :
           llvm::zip(segments.outputsOf(segment),
                     segmentAlone(segments, segment, builder, segments.getShared(),
                                  segments.inputsOf(segment))))
        output.replaceAllUsesWith(value);
    segments.erase();
  }
}

SegmentsOp sinter::ir::onlySegments(Block &block) {
  auto ops = block.without_terminator();
  if (ops.empty() || !llvm::hasSingleElement(ops)) return nullptr;
  auto segments = dyn_cast<SegmentsOp>(ops.begin());
  bool only = segments && segments.getCount() > 1 && segments->getDiscardableAttrs().empty() &&
              llvm::equal(segments->getOperands(), block.getArguments()) &&
              llvm::equal(block.getTerminator()->getOperands(), segments.getOutputs());
  return only ? segments : nullptr;
}

double sinter::ir::timesRun(Operation *op) {
  auto segments = dyn_cast<SegmentsOp>(op->getParentOp());
  if (!segments) return 1;
  double all = 0, first = double(tensorType(segments.inputsOf(0).front()).getNumElements());
  for (unsigned segment = 0; segment < segments.getCount(); ++segment)
    all += double(tensorType(segments.inputsOf(segment).front()).getNumElements());
  return first > 0 ? all / first : 1;
}
