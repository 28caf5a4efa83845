#include "sinter/frontend/detail/Trace.h"

#include "sinter/frontend/detail/Origin.h"
#include "sinter/ir/Sinter.h"
#include "sinter/runtime/Philox.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

using namespace mlir;

namespace sinter::detail {

MLIRContext &context() {
  static MLIRContext *made = [] {
    DialectRegistry registry;
    ir::registerDialects(registry);
    auto *context = new MLIRContext(registry); // lives as long as the process: traces may be static
    context->loadAllAvailableDialects();
    return context;
  }();
  return *made;
}

Type elementType(DType dtype) {
  Builder b(&context());
  switch (dtype) {
  case DType::f32:
    return b.getF32Type();
  case DType::f64:
    return b.getF64Type();
  case DType::bf16:
    return b.getBF16Type();
  case DType::f16:
    return b.getF16Type();
  case DType::i32:
    return b.getI32Type();
  case DType::i64:
    return b.getI64Type();
  case DType::i1:
    return b.getI1Type();
  case DType::u8:
    return b.getIntegerType(8, /*isSigned=*/false);
  }
  return {};
}

DType dtypeOf(Type element) {
  for (DType dtype :
       {DType::f32, DType::f64, DType::bf16, DType::f16, DType::i32, DType::i64, DType::i1})
    if (elementType(dtype) == element) return dtype;
  return DType::u8;
}

RankedTensorType typeOf(const TensorSpec &spec) {
  return RankedTensorType::get(spec.shape, elementType(spec.dtype));
}

TensorSpec specOf(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return {Shape(tensor.getShape()), dtypeOf(tensor.getElementType())};
}

Location locationOf(Where where, const std::string &path) {
  Location line = FileLineColLoc::get(&context(), where.file_name(), where.line(), where.column());
  if (path.empty()) return line;
  return NameLoc::get(StringAttr::get(&context(), path), line);
}

Diagnostics::Diagnostics() {
  handler = context().getDiagEngine().registerHandler(
      [this, thread = std::this_thread::get_id()](Diagnostic &diagnostic) -> LogicalResult {
        if (std::this_thread::get_id() != thread) return failure();
        if (diagnostic.getSeverity() != DiagnosticSeverity::Error) return failure();
        if (!collected.empty()) collected += "; ";
        collected += diagnostic.str();
        if (firstPlace.empty()) firstPlace = placeOf(diagnostic.getLocation());
        return success();
      });
}

Diagnostics::~Diagnostics() { context().getDiagEngine().eraseHandler(handler); }

static thread_local std::vector<Trace *> runningTraces;
static thread_local std::string currentPath;
static thread_local std::optional<Where> pinnedPlace;

Trace::Scope::Scope(Trace &trace) { runningTraces.push_back(&trace); }
Trace::Scope::~Scope() { runningTraces.pop_back(); }
Trace *Trace::running() { return runningTraces.empty() ? nullptr : runningTraces.back(); }

const std::string &modulePath() { return currentPath; }
std::string exchangeModulePath(std::string path) {
  return std::exchange(currentPath, std::move(path));
}

PinnedPlace::PinnedPlace(Where where) : before(std::exchange(pinnedPlace, where)) {}
PinnedPlace::~PinnedPlace() { pinnedPlace = before; }
Where PinnedPlace::orElse(Where where) { return pinnedPlace.value_or(where); }

Trace::Trace(StringRef name, Where where) : b(&context()) {
  Location loc = locationOf(where, {});
  owner = ModuleOp::create(loc);
  b.setInsertionPointToEnd(owner->getBody());
  func = func::FuncOp::create(b, loc, name, b.getFunctionType({}, {}));
  b.setInsertionPointToEnd(func.addEntryBlock());
}

Tensor Trace::tensor(Value value) {
  auto impl = std::make_shared<TensorImpl>();
  impl->spec = specOf(value.getType());
  impl->trace = shared_from_this();
  impl->value = value.getAsOpaquePointer();
  return Tensor(std::move(impl));
}

Tensor Trace::addInput(const TensorSpec &spec, const std::string &name, Where where) {
  auto attributes = b.getDictionaryAttr({b.getNamedAttr(ir::roleAttr, b.getStringAttr("input")),
                                         b.getNamedAttr(ir::nameAttr, b.getStringAttr(name))});
  (void)func.insertArgument(numInputs, typeOf(spec), attributes, locationOf(where, name));
  return tensor(func.getArgument(numInputs++));
}

static StringRef roleName(runtime::StateRole role) {
  switch (role) {
  case runtime::StateRole::parameter:
    return "parameter";
  case runtime::StateRole::state:
    return "state";
  case runtime::StateRole::scalar:
    return "scalar";
  case runtime::StateRole::seed:
    return "seed";
  }
  return "state";
}

unsigned Trace::argumentOf(const VariablePtr &variable) {
  auto known = llvm::find(order, variable);
  if (known != order.end()) return numInputs + (known - order.begin());
  auto [other, fresh] = byName.emplace(variable->name, variable);
  if (!fresh)
    throw UserError(fmt::format("two parameters are named '{}': the other is of line {}",
                                variable->name, other->second->where.line()),
                    variable->where);
  auto attributes =
      b.getDictionaryAttr({b.getNamedAttr(ir::roleAttr, b.getStringAttr(roleName(variable->role))),
                           b.getNamedAttr(ir::nameAttr, b.getStringAttr(variable->name))});
  unsigned number = func.getNumArguments();
  (void)func.insertArgument(number, typeOf(variable->spec), attributes,
                            locationOf(variable->where, variable->name));
  order.push_back(variable);
  return number;
}

Value Trace::read(const VariablePtr &variable) {
  auto found = values.find(variable.get());
  if (found != values.end()) return found->second;
  return values[variable.get()] = func.getArgument(argumentOf(variable));
}

void Trace::write(const VariablePtr &variable, Value value) {
  argumentOf(variable);
  values[variable.get()] = value;
  if (!llvm::is_contained(written, variable)) written.push_back(variable);
}

const VariablePtr &Trace::seedVariable() {
  if (!theSeed)
    theSeed = std::make_shared<Variable>(
        Variable{seedName, {{}, i64}, runtime::StateRole::seed, {}, false, Where::current()});
  return theSeed;
}

const VariablePtr &Trace::stepVariable() {
  if (!theStep)
    theStep = std::make_shared<Variable>(
        Variable{stepName, {{}, i64}, runtime::StateRole::state, {}, false, Where::current()});
  return theStep;
}

void Trace::watch(Value value, std::string label) {
  watched.push_back(value);
  labels.push_back(std::move(label));
}

uint32_t Trace::newStream(Where where) {
  std::string key = fmt::format("{}#{}", currentPath, streamCounts[currentPath]++);
  uint32_t id = runtime::streamId(key);
  auto [other, fresh] = streams.emplace(id, key);
  if (!fresh)
    throw UserError(fmt::format("the random streams '{}' and '{}' have one id: rename a module",
                                key, other->second),
                    where);
  return id;
}

void Trace::finish(ArrayRef<Value> results, Where where) {
  Location loc = locationOf(where, {});
  // Random numbers of the next run are others.
  if (stepAdvances && theStep && !llvm::is_contained(written, theStep)) {
    Value one = ir::splat(b, loc, typeOf(theStep->spec), 1);
    write(theStep, ir::AddOp::create(b, loc, step(), one));
  }
  std::vector<VariablePtr> wanted;
  for (size_t i = 0; i < order.size(); ++i) {
    bool donated = llvm::is_contained(written, order[i]);
    if (donated || !func.getArgument(numInputs + i).use_empty() ||
        llvm::is_contained(results, Value(func.getArgument(numInputs + i))) ||
        llvm::is_contained(watched, Value(func.getArgument(numInputs + i))))
      wanted.push_back(order[i]);
  }
  std::stable_sort(wanted.begin(), wanted.end(),
                   [](const auto &a, const auto &b) { return a->role < b->role; });

  SmallVector<Value> returned(results);
  llvm::append_range(returned, watched);
  unsigned before = func.getNumArguments();
  for (const VariablePtr &variable : wanted) {
    Value old = func.getArgument(numInputs + (llvm::find(order, variable) - order.begin()));
    auto attributes = func.getArgAttrDict(cast<BlockArgument>(old).getArgNumber());
    unsigned number = func.getNumArguments();
    (void)func.insertArgument(number, old.getType(), attributes, old.getLoc());
    Value fresh = func.getArgument(number);
    old.replaceAllUsesWith(fresh);
    for (Value &value : returned)
      if (value == old) value = fresh;
    for (auto &[key, value] : values)
      if (value == old) value = fresh;
    if (llvm::is_contained(written, variable)) {
      func.setArgAttr(number, ir::donatedAttr, b.getI64IntegerAttr(returned.size()));
      returned.push_back(values[variable.get()]);
    }
  }
  BitVector erased(func.getNumArguments());
  erased.set(numInputs, before);
  (void)func.eraseArguments(erased);
  order = std::move(wanted);

  func::ReturnOp::create(b, loc, returned);
  func.setFunctionType(b.getFunctionType(func.getArgumentTypes(), ValueRange(returned).getTypes()));
  open = false;
}

} // namespace sinter::detail
