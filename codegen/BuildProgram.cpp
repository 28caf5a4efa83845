#include "sinter/codegen/BuildProgram.h"

#include "sinter/codegen/Effects.h"
#include "sinter/codegen/StepPlaces.h"
#include "sinter/codegen/cpu/CpuBackend.h"
#include "sinter/codegen/cuda/CudaBackend.h"
#include "sinter/codegen/reference/HostTensor.h"
#include "sinter/codegen/reference/ReferenceProgram.h"
#include "sinter/ir/KernelKinds.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/Path.h"

#include <fmt/format.h>

using namespace mlir;
using namespace sinter::ir;

namespace sinter::codegen {
namespace {

/// Every tensor of the arena starts at a cache line.
constexpr int64_t arenaAlignment = 64;

runtime::TensorType typeOf(Type type) { return tensorTypeOf(cast<RankedTensorType>(type)); }

/// "model.cpp:14 fc": the first file and line that a location knows, and the innermost name around it.
std::string sourceOf(Location location) {
  std::string name, place;
  location->walk([&](Location part) {
    if (!name.empty() && !place.empty()) return WalkResult::interrupt();
    if (auto named = dyn_cast<NameLoc>(part); named && name.empty()) name = named.getName().str();
    if (auto file = dyn_cast<FileLineColLoc>(part); file && place.empty())
      place =
          fmt::format("{}:{}", llvm::sys::path::filename(file.getFilename()).str(), file.getLine());
    return WalkResult::advance();
  });
  if (place.empty()) return name;
  return name.empty() ? place : place + " " + name;
}

/// What the entries of a program have in common: symbols of the module, places in the program's lists.
struct Known {
  explicit Known(ModuleOp module) : symbols(module) {}

  SymbolTable symbols;
  std::map<std::string, uint32_t> constants; // by their bytes
  llvm::StringMap<uint32_t> states;
};

/// One function on its way to an entry.
class EntryBuilder {
public:
  EntryBuilder(runtime::Program &program, func::FuncOp function,
               const llvm::DenseMap<Operation *, CompiledKernel> &kernels, Known &known,
               bool isStep = false)
      : program(program), function(function), kernels(kernels), known(known), isStep(isStep) {}

  LogicalResult build() {
    FailureOr<runtime::Entry> made = make();
    if (failed(made)) return failure();
    program.entries.push_back(std::move(*made));
    return success();
  }

  FailureOr<runtime::Entry> make() {
    entry.name = function.getName().str();
    if (failed(placeBorders())) return failure();
    for (Operation &op : function.getBody().front().without_terminator()) {
      LogicalResult added =
          TypeSwitch<Operation *, LogicalResult>(&op)
              .Case([&](LaunchOp launch) { return addLaunch(launch); })
              .Case([&](ReshapeOp reshape) {
                place[reshape.getResult()] = place.lookup(reshape.getX());
                return success();
              })
              .Case([&](ConstantOp constant) { return addConstant(constant); })
              .Default([](Operation *other) {
                return other->emitOpError("is not inside a kernel: the module is not outlined");
              });
      if (failed(added)) return failure();
    }
    returnValues();
    finishSizes();
    return std::move(entry);
  }

private:
  static runtime::StateRole stateRoleOf(StringRef role) {
    if (role == "state") return runtime::StateRole::state;
    if (role == "scalar") return runtime::StateRole::scalar;
    return role == "seed" ? runtime::StateRole::seed : runtime::StateRole::parameter;
  }

  FailureOr<uint32_t> stateIndex(BlockArgument argument, const runtime::TensorType &type) {
    unsigned at = argument.getArgNumber();
    auto name = function.getArgAttrOfType<StringAttr>(at, nameAttr);
    if (!name) {
      function.emitOpError("argument ")
          << at << " of role '" << roleOf(argument) << "' has no sinter.name";
      return failure();
    }
    auto [place, isNew] = known.states.try_emplace(name.getValue(), program.state.size());
    uint32_t number = place->second;
    if (isNew) program.state.push_back({name.str(), type, stateRoleOf(roleOf(argument))});
    if (program.state[number].type != type) {
      function.emitOpError("variable '")
          << name.getValue() << "' is " << type.text() << " here and "
          << program.state[number].type.text() << " in another entry";
      return failure();
    }
    return number;
  }

  /// Gives arguments and results their places.
  LogicalResult placeBorders() {
    results.resize(function.getNumResults());
    SmallVector<bool> donated(function.getNumResults(), false);
    for (BlockArgument argument : function.getArguments()) {
      runtime::TensorType type = typeOf(argument.getType());
      runtime::Location location;
      location.bytes = type.numBytes();
      unsigned number = argument.getArgNumber();
      if (roleOf(argument) == "input") {
        auto name = function.getArgAttrOfType<StringAttr>(number, nameAttr);
        location.space = runtime::Space::input;
        location.index = entry.inputs.size();
        entry.inputs.push_back(
            {name ? name.str() : fmt::format("in{}", entry.inputs.size()), type});
      } else {
        // The state of a step is not the program's: who runs the step puts it somewhere.
        FailureOr<uint32_t> index = isStep ? uint32_t(number) : stateIndex(argument, type);
        if (failed(index)) return failure();
        location.space = runtime::Space::state;
        location.index = *index;
        if (auto result = function.getArgAttrOfType<IntegerAttr>(number, donatedAttr)) {
          results[result.getInt()] = location;
          donated[result.getInt()] = true;
        }
      }
      place[argument] = location;
    }
    for (unsigned result = 0; result < function.getNumResults(); ++result) {
      if (donated[result]) continue;
      runtime::TensorType type = typeOf(function.getResultTypes()[result]);
      auto name = function.getResultAttrOfType<StringAttr>(result, nameAttr);
      results[result] = {runtime::Space::output, uint32_t(entry.outputs.size()), 0,
                         type.numBytes()};
      entry.outputs.push_back(
          {name ? name.str() : fmt::format("out{}", entry.outputs.size()), type});
    }
    return success();
  }

  LogicalResult addConstant(ConstantOp op) {
    std::vector<uint8_t> bytes = toBytes(fromAttribute(op.getValue()));
    std::string key(bytes.begin(), bytes.end());
    auto [same, isNew] = known.constants.try_emplace(key, program.constants.size());
    int64_t size = int64_t(bytes.size());
    if (isNew) program.constants.push_back(std::move(bytes));
    place[op.getResult()] = {runtime::Space::constant, same->second, 0, size};
    return success();
  }

  /// The number of the function's result that a value is returned as, through reshapes; -1 for none.
  int64_t returnedAs(Value value) {
    for (OpOperand &use : value.getUses()) {
      if (isa<func::ReturnOp>(use.getOwner())) return use.getOperandNumber();
      if (auto reshape = dyn_cast<ReshapeOp>(use.getOwner()))
        if (int64_t result = returnedAs(reshape.getResult()); result >= 0) return result;
    }
    return -1;
  }
  /// Whether what lies at `location` before `launch` is read by a launch after it, or returned.
  bool isNeededLater(const runtime::Location &location, LaunchOp launch) {
    for (auto &[value, at] : place)
      if (at == location)
        for (Operation *user : value.getUsers())
          if (isa<func::ReturnOp>(user) ||
              (user != launch && !user->isBeforeInBlock(launch) && !isa<ReshapeOp>(user)))
            return true;
    return false;
  }
  bool mayOverwrite(LaunchOp launch, unsigned result, const runtime::Location &location) {
    if (isNeededLater(location, launch)) return false;
    auto kernel = known.symbols.lookup<KernelOp>(launch.getKernel());
    KernelBody body = KernelBody::of(kernel.getBody().front());
    for (auto [number, input] : llvm::enumerate(launch.getInputs()))
      if (place.lookup(input) == location &&
          !mayShareStorage(body, *kindOf(kernel.getSchedule()), result,
                           kernel.getBody().front().getArgument(number)))
        return false;
    return true;
  }

  /// Where result `number` of a launch lives.
  runtime::Location placeResult(LaunchOp launch, unsigned number) {
    Value value = launch.getResult(number);
    int64_t bytes = typeOf(value.getType()).numBytes();
    int64_t result = returnedAs(value);
    if (auto home = launch.getHome(); home && (*home)[number] >= 0) return results[(*home)[number]];
    if (auto offset = launch.getOffset())
      return runtime::Location{runtime::Space::arena, 0, (*offset)[number], bytes};
    if (result >= 0 &&
        (results[result].space == runtime::Space::output ||
         mayOverwrite(launch, number, results[result])) &&
        written.insert(result).second)
      return results[result];
    runtime::Location location{runtime::Space::arena, 0, entry.arenaBytes, bytes};
    entry.arenaBytes += llvm::alignTo(bytes, arenaAlignment);
    return location;
  }

  LogicalResult addLaunch(LaunchOp op) {
    auto kernel = known.symbols.lookup<KernelOp>(op.getKernel());
    if (isa<ScanScheduleAttr>(kernel.getSchedule())) return addControl(op, kernel);
    const CompiledKernel &compiled = kernels.at(kernel);
    runtime::Launch launch;
    launch.kernel = compiled.kernel;
    launch.shape = compiled.shape;
    launch.cycles = compiled.cycles;
    launch.alternatives = compiled.alternatives;
    launch.label = op.getKernel().str();
    launch.source = sourceOf(op.getLoc());
    for (Value input : op.getInputs())
      launch.params.push_back(runtime::PointerParam{place.lookup(input), false});
    runtime::Launch first = launch;
    for (unsigned number = 0; number < op.getNumResults(); ++number) {
      runtime::Location location = placeResult(op, number);
      place[op.getResult(number)] = location;
      launch.params.push_back(runtime::PointerParam{location, true});
      if (location.space == runtime::Space::arena) {
        entry.arenaBytes = std::max(entry.arenaBytes, location.offset + location.bytes);
        noteLarge(location.bytes, [&] {
          std::string what;
          llvm::raw_string_ostream stream(what);
          stream << op.getResult(number).getType() << "  "
                 << (launch.source.empty() ? launch.label : launch.source);
          return what;
        });
      }
    }
    for (const CompiledMap &map : compiled.maps) {
      const auto &pointer = std::get<runtime::PointerParam>(launch.params[map.param]);
      runtime::TensorMapParam param = map.map;
      param.location = pointer.location;
      launch.params.push_back(std::move(param));
    }
    if (compiled.first) {
      runtime::Location scratch = placeScratch(compiled.scratchBytes);
      noteLarge(scratch.bytes, [&] { return "parts of the sums of " + launch.label; });
      first.kernel = compiled.first->kernel;
      first.shape = compiled.first->shape;
      first.cycles = compiled.first->cycles;
      first.alternatives = compiled.first->alternatives;
      first.params.push_back(runtime::PointerParam{scratch, true});
      appendLaunch(std::move(first));
      launch.params.push_back(runtime::PointerParam{scratch, false});
    }
    appendLaunch(std::move(launch));
    return success();
  }

  /// The functions that the regions of a scan, a loop or a branch became, as entries of their own.
  FailureOr<std::vector<runtime::Entry>> stepsOf(LaunchOp op, Operation *control) {
    SmallVector<Attribute> names;
    if (auto branch = dyn_cast<CondOp>(control))
      llvm::append_range(names, branch.getBranches().value_or(ArrayAttr::get(op.getContext(), {})));
    else if (auto loop = dyn_cast<WhileOp>(control))
      names.push_back(loop.getStepAttr());
    else
      names.push_back(cast<ScanOp>(control).getStepAttr());
    std::vector<runtime::Entry> steps;
    for (Attribute name : names) {
      func::FuncOp step;
      if (name)
        step = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(op, cast<SymbolRefAttr>(name));
      if (!step) return op.emitOpError("runs a region that is no function"), failure();
      FailureOr<runtime::Entry> made =
          EntryBuilder(program, step, kernels, known, /*isStep=*/true).make();
      if (failed(made)) return failure();
      steps.push_back(std::move(*made));
    }
    return steps;
  }

  /// A scan, a loop or a branch: copies of the first state, and an instruction that runs those of the regions.
  LogicalResult addControl(LaunchOp op, KernelOp kernel) {
    Block &region = kernel.getBody().front();
    Operation *control =
        &*llvm::find_if(region, [](Operation &each) { return isa<ScanOp, WhileOp, CondOp>(each); });
    FailureOr<std::vector<runtime::Entry>> steps = stepsOf(op, control);
    if (failed(steps)) return failure();

    SmallVector<runtime::Location> operands, outputs(control->getNumResults());
    for (Value operand : control->getOperands()) {
      if (auto constant = operand.getDefiningOp<ConstantOp>()) {
        if (failed(addConstant(constant))) return failure();
        operands.push_back(place.lookup(operand));
      } else {
        operands.push_back(
            place.lookup(op.getInputs()[cast<BlockArgument>(operand).getArgNumber()]));
      }
    }
    std::string source = sourceOf(op.getLoc());
    for (auto [number, value] : llvm::enumerate(region.getTerminator()->getOperands())) {
      runtime::Location &location = outputs[cast<OpResult>(value).getResultNumber()];
      location = place[op.getResult(number)] = placeResult(op, number);
      if (location.space != runtime::Space::arena) continue;
      entry.arenaBytes = std::max(entry.arenaBytes, location.offset + location.bytes);
      noteLarge(location.bytes, [&] { return typeOf(value.getType()).text() + "  " + source; });
    }
    // What nobody reads lies with the memory of a step.
    int64_t scratchBytes = 0;
    for (const runtime::Entry &step : *steps)
      scratchBytes =
          std::max<int64_t>(scratchBytes, llvm::alignTo(step.arenaBytes, arenaAlignment));
    SmallVector<unsigned> unread;
    for (auto [number, output] : llvm::enumerate(outputs))
      if (output.bytes == 0) {
        output.bytes = typeOf(control->getResult(number).getType()).numBytes();
        output.offset = scratchBytes;
        scratchBytes += llvm::alignTo(output.bytes, arenaAlignment);
        unread.push_back(number);
      }
    SmallVector<runtime::Location> writes;
    runtime::Location scratch;
    if (scratchBytes > 0) {
      scratch = placeScratch(scratchBytes);
      writes.push_back(scratch);
      noteLarge(scratch.bytes, [&] { return "one step of " + op.getKernel().str(); });
    }
    for (unsigned number : unread) {
      outputs[number].space = runtime::Space::arena;
      outputs[number].offset += scratch.offset;
    }
    llvm::append_range(writes, outputs);
    appendControl(control, *steps, operands, outputs, scratch, writes, source);
    return success();
  }

  void appendControl(Operation *control, std::vector<runtime::Entry> &steps,
                     ArrayRef<runtime::Location> operands, ArrayRef<runtime::Location> outputs,
                     const runtime::Location &scratch, ArrayRef<runtime::Location> writes,
                     const std::string &source) {
    StepPlaces places{0, 0, 1, false, operands, outputs, scratch};
    auto bodyOf = [&](runtime::Entry &step) {
      return std::make_shared<runtime::Block>(std::move(step.body));
    };
    auto copyState = [&](size_t states) {
      places.states = states;
      for (size_t i = 0; i < states; ++i)
        append(runtime::Copy{operands[i], outputs[i], source}, {operands[i]}, {outputs[i]});
    };
    std::vector<runtime::Location> written(writes);
    if (auto scan = dyn_cast<ScanOp>(control)) {
      copyState(scan.getInit().size());
      places.slices = scan.getXs().size();
      places.count = int64_t(scan.getCount());
      places.reverse = scan.getReverse();
      runtime::Loop loop;
      loop.count = places.count;
      loop.offsets = places.moveInto(steps[0].body);
      loop.body = bodyOf(steps[0]);
      append(std::move(loop), operands.drop_front(places.states).vec(), written);
    } else if (auto turns = dyn_cast<WhileOp>(control)) {
      copyState(turns.getInit().size());
      places.moveInto(steps[0].body);
      append(runtime::While{outputs[0], bodyOf(steps[0])}, operands.drop_front(places.states).vec(),
             written);
    } else {
      places.operands = operands.drop_front(); // without the condition
      for (runtime::Entry &step : steps) places.moveInto(step.body);
      runtime::If branch{operands[0], bodyOf(steps[0]), bodyOf(steps[1])};
      append(std::move(branch), operands.vec(), written);
    }
  }

  /// Scratch memory of one launch: after everything that is planned, shared by all that need some.
  runtime::Location placeScratch(int64_t bytes) {
    int64_t offset = entry.arenaBytes;
    if (auto planned = function->getAttrOfType<IntegerAttr>("sinter.arena_bytes"))
      offset = planned.getInt();
    offset = llvm::alignTo(offset, arenaAlignment);
    entry.arenaBytes = std::max(entry.arenaBytes, offset + bytes);
    return {runtime::Space::arena, 0, offset, bytes};
  }

  void appendLaunch(runtime::Launch launch) {
    std::vector<runtime::Location> reads, writes;
    for (auto &param : launch.params) {
      // What a tensor map reads is a pointer parameter, too.
      if (auto *pointer = std::get_if<runtime::PointerParam>(&param))
        (pointer->written ? writes : reads).push_back(pointer->location);
    }
    append(std::move(launch), reads, writes);
  }

  void returnValues() {
    for (OpOperand &operand : function.getBody().front().getTerminator()->getOpOperands()) {
      const runtime::Location &from = place.lookup(operand.get()),
                              &to = results[operand.getOperandNumber()];
      if (from == to || to.bytes == 0) continue;
      runtime::Copy copy{from, to, sourceOf(operand.get().getLoc())};
      append(std::move(copy), {from}, {to});
    }
  }

  /// Adds an instruction after everything it must wait for.
  template <class Op> void append(Op op, const std::vector<runtime::Location> &reads,
                                  const std::vector<runtime::Location> &writes) {
    runtime::Instruction instruction;
    instruction.op = std::move(op);
    instruction.dependencies = effects.add(uint32_t(entry.body.size()), reads, writes);
    touched.push_back({reads, writes});
    entry.body.push_back(std::move(instruction));
  }

  /// Keeps the largest tensors of the arena, of equal ones the first.
  void noteLarge(int64_t bytes, llvm::function_ref<std::string()> label) {
    constexpr size_t most = 8;
    auto smaller = llvm::find_if(entry.largest, [&](const auto &one) { return one.bytes < bytes; });
    if (smaller == entry.largest.end() && entry.largest.size() == most) return;
    entry.largest.insert(smaller, {bytes, label()});
    if (entry.largest.size() > most) entry.largest.pop_back();
  }

  void finishSizes() {
    if (auto bytes = function->getAttrOfType<IntegerAttr>("sinter.arena_bytes"))
      entry.arenaBytes = std::max(entry.arenaBytes, bytes.getInt());
    if (auto bound = function->getAttrOfType<IntegerAttr>("sinter.lower_bound_bytes"))
      entry.lowerBoundBytes = bound.getInt();
    else
      entry.lowerBoundBytes = mostLiveBytes();
  }

  /// Most bytes of the arena that are live at once, each place from its first to its last instruction.
  int64_t mostLiveBytes() {
    std::map<std::pair<int64_t, int64_t>, std::pair<size_t, size_t>> lives;
    for (size_t i = 0; i < touched.size(); ++i)
      for (auto *list : {&touched[i].first, &touched[i].second})
        for (const runtime::Location &location : *list)
          if (location.space == runtime::Space::arena) {
            auto [life, isNew] = lives.try_emplace({location.offset, location.bytes}, i, i);
            life->second.second = i;
          }
    int64_t most = 0;
    for (size_t i = 0; i < touched.size(); ++i) {
      int64_t live = 0;
      for (auto &[range, life] : lives)
        if (life.first <= i && i <= life.second) live += range.second;
      most = std::max(most, live);
    }
    return most;
  }

  runtime::Program &program;
  func::FuncOp function;
  const llvm::DenseMap<Operation *, CompiledKernel> &kernels;
  Known &known;
  bool isStep;
  runtime::Entry entry;
  llvm::MapVector<Value, runtime::Location> place;
  std::vector<runtime::Location> results; // where each of the function's results ends
  std::set<int64_t> written;              // results that a launch writes in place
  Effects effects;
  /// What each instruction reads and writes.
  std::vector<std::pair<std::vector<runtime::Location>, std::vector<runtime::Location>>> touched;
};

} // namespace

FailureOr<runtime::Program> buildProgram(ModuleOp module, Backend &backend) {
  runtime::Program program;
  program.target = backend.kind();
  // The kernel of a scan, a loop or a branch is launched as what its regions are made of.
  SmallVector<KernelOp> kernels;
  for (auto kernel : module.getOps<KernelOp>())
    if (!isa<ScanScheduleAttr>(kernel.getSchedule())) kernels.push_back(kernel);
  FailureOr<std::vector<CompiledKernel>> compiled = backend.compile(kernels, program);
  if (failed(compiled)) return failure();
  llvm::DenseMap<Operation *, CompiledKernel> compiledOf;
  for (auto [kernel, result] : llvm::zip_equal(kernels, *compiled)) compiledOf[kernel] = result;
  Known known(module);
  for (auto function : module.getOps<func::FuncOp>())
    if (function.isPublic() && !function.isExternal())
      if (failed(EntryBuilder(program, function, compiledOf, known).build())) return failure();
  if (runtime::Status status = runtime::checkProgram(program); !status) {
    module.emitError() << status.error().message;
    return failure();
  }
  return program;
}

FailureOr<runtime::Program> compileToProgram(ModuleOp module, const CodegenOptions &options) {
  if (options.target == runtime::TargetKind::reference) return referenceProgram(module);
  if (options.target == runtime::TargetKind::cuda)
    return buildProgram(module, *cudaBackend(options.cuda, options.dump));
  CpuBackendOptions cpu;
  cpu.isa = options.isa;
  cpu.savable = options.savable;
  cpu.cache = options.cache;
  cpu.threads = options.threads;
  cpu.dump = options.dump;
  cpu.assembly = options.assembly;
#if defined(__SANITIZE_ADDRESS__)
  cpu.addressSanitizer = true; // a build that checks itself checks the code it makes
#endif
  auto backend = cpuBackend(std::move(cpu));
  if (!backend) {
    module.emitError() << backend.error().message;
    return failure();
  }
  return buildProgram(module, **backend);
}

} // namespace sinter::codegen
