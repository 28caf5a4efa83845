#include "sinter/ir/KernelKinds.h"
#include "sinter/ir/Factors.h"
#include "sinter/ir/Numerics.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace sinter::ir {

// A CUDA kernel takes 4 KB of parameters; an update is the only kind that comes near.
int64_t maxOperands(KernelKind kind, TargetAttr) { return kind == KernelKind::Update ? 480 : 64; }

// A kernel keeps what it computes at one point in registers.
static constexpr size_t maxOps = 160;

// The products of a sum are each done in whole blocks along k of so many terms.
static constexpr int64_t sumBlock = 64;
// A launch's parameters have a tensor map for each of their operands.
static constexpr size_t maxProducts = 8;

// Elements of a contraction's result that one row of windows covers in a picture.
static constexpr int64_t maxWindowLine = 512;

KernelBody KernelBody::of(Block &block) {
  KernelBody body;
  for (Operation &op : block.without_terminator()) body.ops.push_back(&op);
  body.outputs.assign(block.getTerminator()->operand_begin(), block.getTerminator()->operand_end());
  return body;
}

SmallVector<Value> KernelBody::inputs() const {
  llvm::SmallPtrSet<Operation *, 16> inside(ops.begin(), ops.end());
  llvm::SetVector<Value> result;
  auto visit = [&](Value value) {
    Operation *def = value.getDefiningOp();
    if (!def || !inside.contains(def)) result.insert(value);
  };
  for (Operation *op : ops) llvm::for_each(op->getOperands(), visit);
  llvm::for_each(outputs, visit);
  return result.takeVector();
}

namespace {

int64_t elements(Value value) { return tensorType(value).getNumElements(); }

std::string text(ArrayRef<int64_t> shape) {
  std::string result;
  llvm::raw_string_ostream os(result);
  os << '[';
  llvm::interleave(shape, os, "x");
  os << ']';
  return result;
}

std::string word(Operation *op) { return op->getName().stripDialect().str(); }

FusionKind fusionKind(Operation *op) { return cast<FusibleOpInterface>(op).getFusionKind(); }

bool isElement(Operation *op) { return isa<ElementOpInterface>(op); }

// The checks of one body; the first refusal is kept.
class Checker {
public:
  Checker(const KernelBody &body, TargetAttr target) : body(body), target(target) {}

  std::optional<RefusedBecause> run(KernelKind kind) {
    if (kind == KernelKind::Custom) return std::nullopt;
    if (kind == KernelKind::Staged) return checkStages();
    if (kind == KernelKind::Scan) return checkScan();
    bool fine =
        checkOutputs() && checkOps(kind) && checkSize(kind) && checkLayouts() && checkKind(kind);
    assert(fine != refused.has_value());
    return fine ? std::nullopt : refused;
  }

private:
  bool refuse(Refusal code, const Twine &detail) {
    refused = RefusedBecause{code, detail.str()};
    return false;
  }

  // Of sinter.fused ops, each of which has verified its own region.
  std::optional<RefusedBecause> checkStages() {
    SmallVector<Stage> stages;
    for (Operation *op : body.ops) {
      auto fused = dyn_cast<FusedOp>(op);
      std::optional<KernelKind> kind;
      if (fused) kind = kindOf(fused.getSchedule());
      if (kind)
        stages.push_back({KernelBody::of(fused.getBody().front()), *kind});
      else if (!isa<ReshapeOp>(op))
        return RefusedBecause{Refusal::not_fusible, word(op) + " is no stage"};
    }
    bool inOrder = !body.ops.empty() && runInOrder(*body.ops.front()->getBlock());
    return whyNotStages(stages, inOrder, int64_t(body.inputs().size() + body.outputs.size()),
                        target);
  }

  // Its steps are launches of their own: nothing else is part of it.
  std::optional<RefusedBecause> checkScan() {
    unsigned scans = 0;
    for (Operation *op : body.ops) {
      if (isa<ConstantOp>(op)) continue;
      auto fusible = dyn_cast<FusibleOpInterface>(op);
      if (!fusible || fusible.getFusionKind() != FusionKind::Loop || ++scans > 1)
        return RefusedBecause{Refusal::is_output_of_other_kind,
                              word(op) + " is no part of the launch of a region"};
    }
    if (scans == 0) return RefusedBecause{Refusal::not_fusible, "no scan, loop or branch"};
    return std::nullopt;
  }

  bool checkOutputs() {
    return !body.outputs.empty() || refuse(Refusal::not_fusible, "nothing is yielded");
  }

  bool checkOps(KernelKind kind) {
    for (Operation *op : body.ops) {
      if (isa<SegmentsOp>(op)) { // verifies its own region
        if (kind == KernelKind::Update) continue;
        return refuse(Refusal::is_output_of_other_kind, "segments of an update");
      }
      if (auto constant = dyn_cast<ConstantOp>(op)) {
        if (!constant.getValue().isSplat())
          return refuse(Refusal::not_fusible,
                        "a constant that is not a splat is an input of kernels");
        continue;
      }
      if (!isa<FusibleOpInterface>(op) ||
          (!isElement(op) && !isa<ReductionOpInterface, ContractionOpInterface>(op) &&
           fusionKind(op) != FusionKind::Scatter && fusionKind(op) != FusionKind::Attention))
        return refuse(Refusal::not_fusible,
                      word(op) + " has no rule that a kernel could be made of");
    }
    return true;
  }

  bool checkSize(KernelKind kind) {
    int64_t operands = body.inputs().size() + body.outputs.size();
    if (operands > maxOperands(kind, target))
      return refuse(Refusal::too_many_operands, Twine(operands) + " inputs and outputs, at most " +
                                                    Twine(maxOperands(kind, target)));
    if (kind != KernelKind::Update && body.ops.size() > maxOps)
      return refuse(Refusal::register_pressure,
                    Twine(body.ops.size()) + " ops, at most " + Twine(maxOps));
    return true;
  }

  bool checkLayouts() {
    for (Value output : body.outputs)
      if (tensorType(output).getEncoding() != tensorType(body.outputs.front()).getEncoding() &&
          shapeOf(output) == shapeOf(body.outputs.front()))
        return refuse(Refusal::layout_differs, "outputs in different physical orders");
    return true;
  }

  bool checkKind(KernelKind kind) {
    switch (kind) {
    case KernelKind::Pointwise:
      return checkPointwise();
    case KernelKind::Reduction:
      return checkReduction(/*row=*/false);
    case KernelKind::Row:
      return checkReduction(/*row=*/true);
    case KernelKind::Contraction:
      return checkContraction();
    case KernelKind::Scatter:
      return checkScatter();
    case KernelKind::Attention:
      return checkAttention();
    case KernelKind::Update:
      return checkUpdate();
    case KernelKind::Staged:
    case KernelKind::Scan:
    case KernelKind::Custom:
      return true;
    }
    llvm_unreachable("a kind without a check");
  }

  bool onlyElementOps(ArrayRef<Operation *> except = {}) {
    for (Operation *op : body.ops) {
      if (is_contained(except, op) || isElement(op)) continue;
      if (isa<ContractionOpInterface>(op))
        return refuse(Refusal::second_contraction, word(op) + " is a contraction");
      if (fusionKind(op) == FusionKind::Scatter)
        return refuse(Refusal::scatter_boundary, word(op) + " writes at data-dependent places");
      if (fusionKind(op) == FusionKind::Attention)
        return refuse(Refusal::attention_boundary, word(op) + " is a kernel of its own kind");
      return refuse(Refusal::different_domain, word(op) + " folds dimensions");
    }
    return true;
  }

  // Equal shapes, or one is made from a value of the other's by reshape.
  bool sameDomain(Value a, Value b) {
    if (shapeOf(a) == shapeOf(b)) return true;
    auto isReshape = [](Value value) { return value.getDefiningOp<ReshapeOp>() != nullptr; };
    return elements(a) == elements(b) && (isReshape(a) || isReshape(b));
  }

  bool checkPointwise() {
    if (!onlyElementOps()) return false;
    for (Value output : body.outputs)
      if (!sameDomain(output, body.outputs.front()))
        return refuse(Refusal::different_domain, "outputs of shapes " +
                                                     text(shapeOf(body.outputs.front())) + " and " +
                                                     text(shapeOf(output)));
    return true;
  }

  // Marks the ops that use a result of `from`, directly or through others.
  void markAfter(ArrayRef<Operation *> from) {
    roots.insert(from.begin(), from.end());
    for (Operation *op : body.ops)
      for (Value operand : op->getOperands())
        if (Operation *def = operand.getDefiningOp();
            def && (roots.contains(def) || after.contains(def)))
          after.insert(op);
  }

  bool isPointwiseOrReshape(Operation *op) {
    return fusionKind(op) == FusionKind::Pointwise || isa<ReshapeOp>(op);
  }

  bool checkEpilogue(int64_t count, StringRef of) {
    for (Operation *op : body.ops)
      if (after.contains(op) && (!isPointwiseOrReshape(op) || elements(op->getResult(0)) != count))
        return refuse(Refusal::different_domain,
                      word(op) + " after the " + of + " does not loop over its result");
    for (Value output : body.outputs)
      if (elements(output) != count)
        return refuse(Refusal::different_domain, "an output of shape " + text(shapeOf(output)) +
                                                     " beside a " + of + " with " + Twine(count) +
                                                     " results");
    return true;
  }

  bool checkContraction() {
    SmallVector<Operation *> products;
    for (Operation *op : body.ops)
      if (isa<ContractionOpInterface>(op)) products.push_back(op);
    if (products.empty()) return refuse(Refusal::different_domain, "no contraction");
    if (products.size() > 1) {
      if (products.size() > maxProducts)
        return refuse(Refusal::too_many_operands, Twine(products.size()) +
                                                      " products that are added up, at most " +
                                                      Twine(maxProducts));
      if (std::optional<std::string> why = whyNotOneSum(products))
        return refuse(Refusal::second_contraction,
                      word(products[0]) + " and " + word(products[1]) + *why);
    }
    Operation *contraction = products.front();
    if (!onlyElementOps(products)) return false;
    markAfter(products);
    for (Value output : body.outputs)
      if (Operation *def = output.getDefiningOp();
          !is_contained(products, def) && !after.contains(def))
        return refuse(Refusal::different_domain, "an output that is made before the contraction");
    for (Operation *op : body.ops)
      if (after.contains(op) && fusionKind(op) == FusionKind::Window)
        return checkWindowEnd(contraction, op);
    return checkEpilogue(elements(contraction->getResult(0)), "contraction");
  }

  // Why these products are not added up as one longer product is; the words follow the names of two of them.
  std::optional<std::string> whyNotOneSum(ArrayRef<Operation *> products) {
    auto first = dyn_cast<MatmulOp>(products.front());
    if (!first) return "";
    if (!isSummedUp(products)) return "";
    for (Operation *op : products) {
      auto product = dyn_cast<MatmulOp>(op);
      if (!product) return "";
      if (product.getType() != first.getType() ||
          product.getTransposeA() != first.getTransposeA() ||
          product.getTransposeB() != first.getTransposeB() ||
          declaredFactor(product.getLhs()) != declaredFactor(first.getLhs()) ||
          declaredFactor(product.getRhs()) != declaredFactor(first.getRhs()) ||
          elementOf(product.getLhs()) != elementOf(first.getLhs()) ||
          elementOf(product.getRhs()) != elementOf(first.getRhs()))
        return ", whose operands lie or are declared in different ways";
      int64_t depth = product.getContractionDims().k.front();
      if (depth % sumBlock)
        return ", whose sums of " + std::to_string(depth) + " terms are no multiple of " +
               std::to_string(sumBlock);
    }
    // Only here: what else keeps them apart says more.
    if (isStrict(products.front())) return ": strict numerics adds up each sum by itself";
    return std::nullopt;
  }

  // Whether the products' results become one value by additions, reshapes and widening casts, and nothing reads a
  // part of that sum.
  bool isSummedUp(ArrayRef<Operation *> products) {
    llvm::SmallDenseMap<Value, unsigned> parts; // how many of the products each value adds up
    for (Operation *op : body.ops) {
      Value result = op->getResult(0);
      unsigned count = is_contained(products, op);
      for (Value operand : op->getOperands()) {
        unsigned part = parts.lookup(operand);
        if (part == 0 || part == products.size()) continue;
        if (!addsUp(op) || !operand.hasOneUse() || is_contained(body.outputs, operand))
          return false;
        count += part;
      }
      if (count) parts[result] = count;
      if (count == products.size()) return true;
    }
    return false;
  }
  static bool addsUp(Operation *op) {
    if (auto cast = dyn_cast<CastOp>(op))
      return isa<FloatType>(elementOf(cast.getX())) &&
             computeType(elementOf(cast.getX())) == elementOf(cast.getResult());
    return isa<AddOp, ReshapeOp>(op);
  }

  // Pointwise ops on the contraction's result, one pooling, pointwise ops on what it makes.
  bool checkWindowEnd(Operation *contraction, Operation *window) {
    if (target && target.getKind() == "cuda") // a block's tile is not cut along pictures
      return refuse(Refusal::different_domain, word(window) + " reads beyond a block's tile");
    std::optional<WindowEnd> end = windowEndOf(window);
    if (!end)
      return refuse(Refusal::different_domain,
                    word(window) + " does not cut the contraction's result into windows");
    ArrayRef<int64_t> shape = shapeOf(contraction->getResult(0));
    ContractionDims dims = cast<ContractionOpInterface>(contraction).getContractionDims();
    if (shape.size() != 4 || shapeOf(window->getOperand(0)) != shape || dims.n.size() != 3 ||
        dims.n[0] != shape[0] || dims.n[1] != shape[2] || dims.n[2] != shape[3])
      return refuse(Refusal::different_domain,
                    word(contraction) + " does not make the pictures that are pooled");
    if (end->rowStride * shape[3] > maxWindowLine)
      return refuse(Refusal::different_domain, Twine(end->rowStride) + " lines of " +
                                                   Twine(shape[3]) +
                                                   " elements are more than a tile keeps");
    int64_t before = elements(contraction->getResult(0)), pooled = elements(window->getResult(0));
    markPooled(window);
    for (Operation *op : body.ops) {
      if (!after.contains(op) || op == window) continue;
      if (!isPointwiseOrReshape(op) ||
          elements(op->getResult(0)) != (isPooled.contains(op) ? pooled : before) ||
          (!isPooled.contains(op) && isa<ReshapeOp>(op)))
        return refuse(Refusal::different_domain,
                      word(op) + " keeps neither the contraction's result nor the windows");
    }
    for (Value output : body.outputs)
      if (Operation *def = output.getDefiningOp(); def != window && !isPooled.contains(def))
        return refuse(Refusal::different_domain, "an output of shape " + text(shapeOf(output)) +
                                                     " beside windows of " + text(shape));
    return true;
  }
  void markPooled(Operation *window) {
    for (Operation *op : body.ops)
      for (Value operand : op->getOperands())
        if (Operation *def = operand.getDefiningOp();
            def && (def == window || isPooled.contains(def)))
          isPooled.insert(op);
  }

  bool checkScatter() {
    Operation *scatter = nullptr;
    for (Operation *op : body.ops)
      if (!isElement(op) && fusionKind(op) == FusionKind::Scatter) {
        if (scatter) return refuse(Refusal::scatter_boundary, word(scatter) + " and " + word(op));
        scatter = op;
      }
    if (!scatter) return refuse(Refusal::different_domain, "no scatter");
    if (!onlyElementOps(scatter)) return false;
    markAfter(scatter);
    if (!after.empty())
      return refuse(Refusal::scatter_boundary,
                    "a scattered result is complete only at the end of its kernel");
    for (Value output : body.outputs)
      if (output.getDefiningOp() != scatter)
        return refuse(Refusal::scatter_boundary, "an output that is not scattered");
    return true;
  }

  bool checkAttention() {
    Operation *attention = nullptr;
    for (Operation *op : body.ops)
      if (fusionKind(op) == FusionKind::Attention) {
        if (attention)
          return refuse(Refusal::attention_boundary, word(attention) + " and " + word(op));
        attention = op;
      }
    if (!attention) return refuse(Refusal::different_domain, "no attention");
    if (!onlyElementOps(attention)) return false;
    markAfter(attention);
    if (!after.empty())
      return refuse(Refusal::attention_boundary,
                    "an attention's rows are complete only at the end of its kernel");
    for (Value output : body.outputs)
      if (output.getDefiningOp() != attention)
        return refuse(Refusal::attention_boundary, "an output that is not the attention's");
    return true;
  }

  bool checkUpdate() {
    for (const KernelBody &component : componentsOf(body)) {
      bool segments =
          llvm::any_of(component.ops, [](Operation *op) { return isa<SegmentsOp>(op); });
      if (segments && component.ops.size() == 1) continue;
      if (segments)
        return refuse(Refusal::different_domain, "segments exchange values with what is beside");
      Checker checker(component, target);
      if (!checker.checkPointwise()) {
        refused = checker.refused;
        return false;
      }
    }
    return true;
  }

  // --- Reductions and rows.

  bool checkReduction(bool row) {
    SmallVector<Operation *> reductions;
    for (Operation *op : body.ops) {
      auto reduction = dyn_cast<ReductionOpInterface>(op);
      if (!reduction && !isElement(op) && fusionKind(op) == FusionKind::Attention)
        return refuse(Refusal::attention_boundary, word(op) + " beside a reduction");
      if (!reduction && !isElement(op))
        return isa<ContractionOpInterface>(op)
                   ? refuse(Refusal::second_contraction, word(op) + " beside a reduction")
                   : refuse(Refusal::scatter_boundary, word(op) + " beside a reduction");
      if (!reduction) continue;
      if (reductions.empty()) {
        domain.assign(shapeOf(op->getOperand(0)).begin(), shapeOf(op->getOperand(0)).end());
        reduced = reduction.getReducedDims();
      } else if (shapeOf(op->getOperand(0)) != ArrayRef<int64_t>(domain) ||
                 reduction.getReducedDims() != reduced) {
        return refuse(Refusal::reduction_dims_differ,
                      text(domain) + " over " + text(reduced) + " and " +
                          text(shapeOf(op->getOperand(0))) + " over " +
                          text(reduction.getReducedDims()));
      }
      reductions.push_back(op);
    }
    if (reductions.empty()) return refuse(Refusal::different_domain, "no reduction");
    rows = elements(reductions.front()->getResult(0));
    markAfter(reductions);
    return row ? checkRow() : checkPlainReduction(reductions);
  }

  bool checkPlainReduction(ArrayRef<Operation *> reductions) {
    for (Operation *op : reductions)
      if (after.contains(op))
        return refuse(Refusal::reduction_dims_differ, word(op) + " of what was reduced");
    return checkEpilogue(rows, "reduction");
  }

  bool isDomain(Value value) { return shapeOf(value) == ArrayRef<int64_t>(domain); }
  bool isRow(Value value) { return elements(value) == rows; }

  // From a row value to the domain: every dimension that varies is a kept one, in order.
  bool broadcastsRows(Operation *op) {
    SmallVector<AffineMap> maps = cast<FusibleOpInterface>(op).getIndexingMaps();
    if (maps.empty() || !isDomain(op->getResult(0))) return false;
    SmallVector<int64_t> kept, used;
    for (auto [dim, extent] : llvm::enumerate(domain))
      if (!is_contained(reduced, int64_t(dim)) && extent != 1) kept.push_back(dim);
    for (auto [expr, extent] : llvm::zip(maps.front().getResults(), shapeOf(op->getOperand(0))))
      if (extent != 1) {
        auto dim = dyn_cast<AffineDimExpr>(expr);
        if (!dim) return false;
        used.push_back(dim.getPosition());
      }
    return kept == used;
  }

  bool checkRow() {
    for (Operation *op : body.ops) {
      if (!after.contains(op)) continue;
      Value result = op->getResult(0);
      if (isa<ReductionOpInterface>(op)) // of the domain, as checked
        continue;
      bool fine = false;
      if (fusionKind(op) == FusionKind::Pointwise)
        fine = isDomain(result) || isRow(result);
      else if (isa<ReshapeOp>(op))
        fine = isRow(result) && !isDomain(op->getOperand(0));
      else if (isa<BroadcastOp>(op))
        fine = broadcastsRows(op);
      if (!fine)
        return refuse(Refusal::different_domain, word(op) + " to " + text(shapeOf(result)) +
                                                     " keeps neither the rows nor the domain " +
                                                     text(domain));
    }
    for (Value output : body.outputs)
      if (!isDomain(output) && !isRow(output))
        return refuse(Refusal::different_domain, "an output of shape " + text(shapeOf(output)) +
                                                     " in rows of " + text(domain));
    return true;
  }

  const KernelBody &body;
  TargetAttr target;
  std::optional<RefusedBecause> refused;
  llvm::SmallPtrSet<Operation *, 16> roots, after, isPooled;
  SmallVector<int64_t> domain, reduced;
  int64_t rows = 0;
};

} // namespace

std::optional<WindowEnd> windowEndOf(Operation *op) {
  auto describe = [&](auto pool) -> std::optional<WindowEnd> {
    ArrayRef<int64_t> kernel = pool.getKernelSize(), stride = pool.getStride();
    for (unsigned i = 0; i < 2; ++i) {
      int64_t in = shapeOf(pool.getX())[2 + i], out = shapeOf(pool.getResult())[2 + i];
      if (pool.getPadding()[i] != 0 || kernel[i] > stride[i] ||
          (out - 1) * stride[i] + kernel[i] > in)
        return std::nullopt;
    }
    return WindowEnd{op, kernel[0], kernel[1], stride[0], stride[1]};
  };
  return llvm::TypeSwitch<Operation *, std::optional<WindowEnd>>(op)
      .Case([&](MaxPool2dOp pool) { return describe(pool); })
      .Case([&](AvgPool2dOp pool) { return describe(pool); })
      .Default([](Operation *) { return std::nullopt; });
}

std::optional<RefusedBecause> whyNot(const KernelBody &body, KernelKind kind, TargetAttr target) {
  return Checker(body, target).run(kind);
}

LogicalResult acceptsRegion(Block &block, Attribute schedule, TargetAttr target, std::string *why) {
  std::optional<KernelKind> kind = kindOf(schedule);
  if (!kind) {
    if (why) *why = "its schedule is none of Sinter's";
    return failure();
  }
  std::optional<RefusedBecause> refused = whyNot(KernelBody::of(block), *kind, target);
  if (refused && why) *why = (nameOf(refused->code) + ": " + refused->detail).str();
  return success(!refused);
}

} // namespace sinter::ir
