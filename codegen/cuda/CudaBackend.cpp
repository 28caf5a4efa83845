#include "sinter/codegen/cuda/CudaBackend.h"

#include "sinter/codegen/LowerKernel.h"
#include "sinter/codegen/contraction/WarpgroupContraction.h"
#include "sinter/codegen/cuda/DeviceHeaders.h"
#include "sinter/ir/Alternatives.h"
#include "sinter/ir/Numerics.h"

#include "mlir/IR/Verifier.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FormatVariadic.h"

#include <set>

using namespace mlir;

namespace sinter::codegen {
namespace {

using Maps = SmallVector<DictionaryAttr>;

struct PrintedKernel {
  CudaText text;
  std::optional<CudaText> first; // of a kernel in two launches
  LoweredKernel lowered;         // its functions are gone
  bool awaits = false;
  Maps maps; // tensor maps among its arguments
  std::vector<CompiledMap> compiledMaps;
};

/// What the tensor maps among a function's arguments are of.
Maps mapsOf(func::FuncOp function) {
  Maps maps;
  for (unsigned number = 0; number < function.getNumArguments(); ++number)
    if (auto map = function.getArgAttrOfType<DictionaryAttr>(number, tensorMapAttr))
      maps.push_back(map);
  return maps;
}

/// Arguments that a kernel takes because one that may stand in its place does.
LogicalResult addMaps(func::FuncOp function, ArrayRef<DictionaryAttr> maps) {
  Builder b(function.getContext());
  for (DictionaryAttr map : maps)
    if (failed(function.insertArgument(
            function.getNumArguments(), MemRefType::get({128}, b.getI8Type()),
            b.getDictionaryAttr(b.getNamedAttr(tensorMapAttr, map)), function.getLoc())))
      return failure();
  return success();
}

CompiledMap compiledMap(func::FuncOp function, DictionaryAttr map) {
  auto list = [&](StringRef name) -> std::vector<int64_t> {
    return map.getAs<DenseI64ArrayAttr>(name).asArrayRef().vec();
  };
  CompiledMap made;
  made.param = uint32_t(map.getAs<IntegerAttr>("param").getInt());
  auto type = cast<MemRefType>(function.getArgument(made.param).getType()).getElementType();
  made.map.type = type.isBF16() ? runtime::DType::bf16 : runtime::DType::f16;
  made.map.shape = list("shape"), made.map.strides = list("strides"), made.map.box = list("box");
  made.map.swizzle = uint32_t(map.getAs<IntegerAttr>("swizzle").getInt());
  return made;
}

/// Another schedule of a kernel, and what the model predicts for it.
struct Other {
  ir::ContractionScheduleAttr schedule;
  double cycles = 0;
};
/// What passes thought of besides the kernel's own schedule.
SmallVector<Other> othersOf(ir::KernelOp kernel) {
  SmallVector<Other> others;
  auto list = kernel->getAttrOfType<ArrayAttr>(ir::alternativesAttr);
  if (!list || !isa<ir::ContractionScheduleAttr>(kernel.getSchedule())) return others;
  for (auto each : list.getAsRange<DictionaryAttr>()) {
    auto schedule = each.getAs<ir::ContractionScheduleAttr>("schedule");
    auto cycles = each.getAs<FloatAttr>("cycles");
    if (schedule && cycles) others.push_back({schedule, cycles.getValueAsDouble()});
  }
  return others;
}
double cyclesOf(ir::KernelOp kernel) {
  auto cycles = kernel->getAttrOfType<FloatAttr>(ir::cyclesAttr);
  return cycles ? cycles.getValueAsDouble() : 0;
}

/// "128x256x64"; of a cluster of two blocks "2x128x256x64".
std::string tileText(ir::ContractionScheduleAttr schedule) {
  int64_t cluster = clusterOf(schedule);
  return (cluster > 1 ? std::to_string(cluster) + "x" : "") + std::to_string(schedule.getTileM()) +
         "x" + std::to_string(schedule.getTileN()) + "x" + std::to_string(schedule.getTileK());
}

/// Whether kernels for the target can wait for those before them.
bool canAwait(ir::TargetAttr target) {
  StringRef name = target.getIsa();
  int64_t number = 0;
  return name.consume_front("sm_") && !name.consumeInteger(10, number) && number >= 90;
}

/// Lowers into a module of its own and prints it; where it has no tensor maps it takes `maps` all the same.
FailureOr<PrintedKernel> printKernel(ir::KernelOp kernel, const CudaBackendOptions &backend,
                                     ArrayRef<DictionaryAttr> maps = {}) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(kernel.getLoc());
  OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
  LoweringOptions options = LoweringOptions::of(ir::targetOf(kernel));
  options.gpu = true;
  options.strict = ir::isStrict(kernel);
  FailureOr<LoweredKernel> lowered = lowerKernel(kernel, builder, options);
  if (failed(lowered)) return failure();
  if (mapsOf(lowered->function).empty() && !lowered->first &&
      failed(addMaps(lowered->function, maps)))
    return failure();
  const bool awaits = backend.early && canAwait(ir::targetOf(kernel));
  FailureOr<CudaText> text = printCudaKernel(lowered->function, lowered->block, awaits);
  if (failed(text)) return failure();
  PrintedKernel printed{std::move(*text), std::nullopt, *lowered, awaits, {}, {}};
  printed.maps = mapsOf(lowered->function);
  for (DictionaryAttr map : printed.maps)
    printed.compiledMaps.push_back(compiledMap(lowered->function, map));
  if (lowered->first) {
    FailureOr<CudaText> first = printCudaKernel(lowered->first, lowered->firstBlock, awaits);
    if (failed(first)) return failure();
    printed.first = std::move(*first);
  }
  printed.lowered.function = printed.lowered.first = nullptr;
  return printed;
}

/// "model.cpp:14" for each line that the kernel's ops come from, in order of first appearance.
std::vector<std::string> userLines(ir::KernelOp kernel) {
  std::vector<std::string> lines;
  kernel.walk([&](Operation *op) {
    op->getLoc()->walk([&](Location location) {
      if (auto file = dyn_cast<FileLineColLoc>(location)) {
        std::string line =
            file.getFilename().str().substr(file.getFilename().str().rfind('/') + 1) + ":" +
            std::to_string(file.getLine());
        if (!llvm::is_contained(lines, line)) lines.push_back(line);
      }
      return WalkResult::advance();
    });
  });
  return lines;
}

std::string shapeText(int64_t grid, int64_t block) {
  return std::to_string(grid) + " blocks of " + std::to_string(block) + " threads";
}

std::string comment(ir::KernelOp kernel, const LoweredKernel &lowered) {
  std::string text = "// " + kernel.getSymName().str() + ": ";
  if (lowered.scratchBytes) text += shapeText(lowered.firstGrid, lowered.firstBlock) + ", then ";
  text += shapeText(lowered.grid, lowered.block) + "\n// computes";
  auto list = [&](auto &&self, Block &block) -> void {
    for (Operation &op : block.without_terminator()) {
      if (auto segments = dyn_cast<ir::SegmentsOp>(op))
        self(self, segments.getBody().front());
      else if (auto stage = dyn_cast<ir::FusedOp>(op))
        self(self, stage.getBody().front());
      else if (!isa<ir::ConstantOp>(op))
        text += " " + op.getName().stripDialect().str();
    }
  };
  list(list, kernel.getBody().front());
  text += "\n";
  for (const std::string &line : userLines(kernel)) text += "// " + line + "\n";
  return text;
}

/// The kernel as one text, in the order of its launches.
std::string wholeText(ir::KernelOp kernel, const PrintedKernel &printed) {
  std::string text = comment(kernel, printed.lowered);
  if (printed.first) text += printed.first->source + "\n";
  return text + printed.text.source;
}

/// Adds the device headers `names` and those that they include to `all`.
void withIncluded(ArrayRef<std::string> names, std::set<std::string> &all) {
  for (const std::string &name : names) {
    if (!all.insert(name).second) continue;
    for (const DeviceHeader &header : deviceHeaders()) {
      if (header.name != name) continue;
      const StringRef include = "#include \"", text = header.text;
      for (size_t at = 0; (at = text.find(include, at)) != StringRef::npos;) {
        at += include.size();
        withIncluded({text.slice(at, text.find('"', at)).str()}, all);
      }
    }
  }
}

class CudaBackend : public Backend {
public:
  CudaBackend(CudaBackendOptions options, DumpText dump)
      : options(options), dump(std::move(dump)) {}
  runtime::TargetKind kind() const override { return runtime::TargetKind::cuda; }

  FailureOr<std::vector<CompiledKernel>> compile(ArrayRef<ir::KernelOp> kernels,
                                                 runtime::Program &program) override {
    std::map<std::string, uint32_t> headerIndex;
    for (const DeviceHeader &header : deviceHeaders()) {
      headerIndex[header.name] = program.headers.size();
      program.headers.push_back({header.name, header.text});
    }
    std::vector<CompiledKernel> compiled;
    for (ir::KernelOp kernel : kernels) {
      std::string name = kernel.getSymName().str();
      FailureOr<PrintedKernel> printed = printKernel(kernel, options);
      if (failed(printed)) return failure();
      std::vector<PrintedOther> others;
      if (failed(printOthers(kernel, *printed, others))) return failure();
      if (dump) dump(name + ".cu", wholeText(kernel, *printed));
      CompiledKernel result = add(name, *printed, program, headerIndex);
      addAlternatives(kernel, result, others, program, headerIndex);
      compiled.push_back(std::move(result));
    }
    return compiled;
  }

private:
  using Headers = std::map<std::string, uint32_t>;

  static CompiledPart addPart(std::string name, const CudaText &text, const LoweredKernel &lowered,
                              bool isFirst, bool awaits, runtime::Program &program,
                              const Headers &headerIndex) {
    CompiledPart part;
    part.kernel = program.kernels.size();
    part.shape.grid = {uint32_t(isFirst ? lowered.firstGrid : lowered.grid), 1, 1};
    part.shape.block = {uint32_t(isFirst ? lowered.firstBlock : lowered.block), 1, 1};
    part.shape.sharedBytes = uint32_t(isFirst ? lowered.firstSharedBytes : lowered.sharedBytes);
    runtime::Kernel entry;
    entry.name = std::move(name);
    entry.source = text.source;
    entry.awaits = awaits;
    std::set<std::string> headers;
    withIncluded(text.headers, headers);
    for (const std::string &header : headers) entry.headers.push_back(headerIndex.at(header));
    program.kernels.push_back(std::move(entry));
    return part;
  }

  static CompiledKernel add(const std::string &name, const PrintedKernel &printed,
                            runtime::Program &program, const Headers &headers) {
    const LoweredKernel &lowered = printed.lowered;
    CompiledKernel result;
    if (printed.first) {
      result.first =
          addPart(name + "_parts", *printed.first, lowered, true, printed.awaits, program, headers);
      result.scratchBytes = lowered.scratchBytes;
    }
    static_cast<CompiledPart &>(result) =
        addPart(name, printed.text, lowered, false, printed.awaits, program, headers);
    result.maps = printed.compiledMaps;
    return result;
  }

  struct PrintedOther {
    Other other;
    PrintedKernel printed;
  };

  /// The kernel with its other tiles. Where one of them all takes tensor maps, all do: a launch's parameters are the
  /// same whichever runs.
  LogicalResult printOthers(ir::KernelOp kernel, PrintedKernel &chosen,
                            std::vector<PrintedOther> &others) const {
    for (const Other &other : othersOf(kernel)) {
      FailureOr<PrintedKernel> printed = printOther(kernel, other.schedule, chosen.maps);
      if (failed(printed)) return failure();
      others.push_back({other, std::move(*printed)});
      const Maps &maps = others.back().printed.maps;
      if (!chosen.maps.empty() || maps.empty()) continue;
      FailureOr<PrintedKernel> again = printKernel(kernel, options, maps);
      if (failed(again)) return failure();
      chosen = std::move(*again);
      for (PrintedOther &before : others) {
        if (!before.printed.maps.empty()) continue;
        FailureOr<PrintedKernel> same = printOther(kernel, before.other.schedule, maps);
        if (failed(same)) return failure();
        before.printed = std::move(*same);
      }
    }
    return success();
  }

  /// Other tiles for the part of the kernel that multiplies.
  static void addAlternatives(ir::KernelOp kernel, CompiledKernel &result,
                              const std::vector<PrintedOther> &others, runtime::Program &program,
                              const Headers &headers) {
    CompiledPart &multiplies = result.first ? *result.first : result;
    for (const auto &[other, printed] : others) {
      // Parts of the sum lie as they do for the tiles that were chosen, or the second launch is another.
      if (bool(printed.first) != bool(result.first) ||
          printed.lowered.scratchBytes != result.scratchBytes)
        continue;
      CompiledPart part = addPart(kernel.getSymName().str() + (result.first ? "_parts_" : "_") +
                                      tileText(other.schedule),
                                  printed.first ? *printed.first : printed.text, printed.lowered,
                                  bool(printed.first), printed.awaits, program, headers);
      multiplies.alternatives.push_back({part.kernel, part.shape, other.cycles});
    }
    if (!multiplies.alternatives.empty()) multiplies.cycles = cyclesOf(kernel);
  }

  /// The kernel with another schedule; its name says which.
  FailureOr<PrintedKernel> printOther(ir::KernelOp kernel, ir::ContractionScheduleAttr schedule,
                                      ArrayRef<DictionaryAttr> maps) const {
    std::string name = kernel.getSymName().str();
    Attribute own = kernel.getSchedule();
    llvm::scope_exit restore([&] {
      kernel.setScheduleAttr(own);
      kernel.setSymName(name);
    });
    kernel.setScheduleAttr(schedule);
    // Where the sum has parts, the launch of the parts is the alternative, and has the name.
    kernel.setSymName(name + (schedule.getSplitK() > 1 ? "" : "_" + tileText(schedule)));
    FailureOr<PrintedKernel> printed = printKernel(kernel, options, maps);
    if (succeeded(printed) && printed->first) {
      std::string was = name + "_parts(", is = name + "_parts_" + tileText(schedule) + "(";
      size_t at = printed->first->source.find(was);
      if (at != std::string::npos) printed->first->source.replace(at, was.size(), is);
    }
    return printed;
  }

  CudaBackendOptions options;
  DumpText dump;
};

} // namespace

std::unique_ptr<Backend> cudaBackend(CudaBackendOptions options, DumpText dump) {
  return std::make_unique<CudaBackend>(options, std::move(dump));
}

FailureOr<std::string> cudaText(ir::KernelOp kernel, const CudaBackendOptions &options) {
  FailureOr<PrintedKernel> printed = printKernel(kernel, options);
  if (failed(printed)) return failure();
  std::string text;
  auto line = [&](StringRef what, Attribute schedule, double cycles) {
    text += llvm::formatv("// {0}: tiles of {1}, {2:f1} kcycles predicted\n", what,
                          tileText(cast<ir::ContractionScheduleAttr>(schedule)), cycles / 1000);
  };
  SmallVector<Other> others = othersOf(kernel);
  if (!others.empty()) line("chosen", kernel.getSchedule(), cyclesOf(kernel));
  for (const Other &other : others) line("alternative", other.schedule, other.cycles);
  return text + wholeText(kernel, *printed);
}

namespace {
// CUDA C++ Programming Guide, "Technical Specifications per Compute Capability": opt-in shared
// memory of a block and the usual L2 sizes of the family's data-centre part.
struct Limits {
  StringRef name;
  int64_t sharedBytes, l2Bytes;
  StringRef matrix =
      "m16n8k16"; // m64nNk16: also that, and products of warpgroups from shared memory
};
const Limits known[] = {
    {"sm_75", 64 << 10, 6 << 20, "none"}, {"sm_80", 163 << 10, 40 << 20},
    {"sm_86", 99 << 10, 6 << 20},         {"sm_89", 99 << 10, 72 << 20},
    {"sm_90", 227 << 10, 50 << 20},       {"sm_90a", 227 << 10, 50 << 20, "m64nNk16"},
    {"sm_100", 227 << 10, 126 << 20},     {"sm_120", 99 << 10, 96 << 20}};

int64_t numberOf(StringRef architecture) {
  int64_t number = 0;
  architecture.consume_front("sm_");
  architecture.consumeInteger(10, number);
  return number;
}
} // namespace

std::string nearestCudaArchitecture(const std::string &architecture, bool portable) {
  StringRef nearest = known[0].name;
  for (const Limits &limits : known) {
    const bool one = limits.name.ends_with("a"); // the only GPU that runs it
    if (one ? !portable && numberOf(limits.name) == numberOf(architecture)
            : numberOf(limits.name) <= numberOf(architecture) &&
                  numberOf(limits.name) > numberOf(nearest))
      nearest = limits.name;
  }
  return nearest.str();
}

FailureOr<ir::TargetAttr> cudaTarget(MLIRContext &context, StringRef architecture, bool tf32) {
  for (const Limits &limits : known)
    if (limits.name == architecture)
      // Static shared arrays end at 48 KiB on every architecture; a launch may ask for more.
      return ir::TargetAttr::get(
          &context, "cuda", architecture, 16, 128 << 10, limits.l2Bytes,
          std::min<int64_t>(limits.sharedBytes, 48 << 10), 1024, limits.sharedBytes,
          limits.matrix.str() + (tf32 && limits.matrix != "none" ? "+tf32" : ""));
  InFlightDiagnostic error = emitError(UnknownLoc::get(&context))
                             << "unknown GPU architecture '" << architecture << "'; known are";
  for (const Limits &limits : known) error << (&limits == known ? " " : ", ") << limits.name;
  return failure();
}

} // namespace sinter::codegen
