#include "sinter/codegen/cuda/CudaBackend.h"

#include "sinter/codegen/LowerKernel.h"
#include "sinter/codegen/cuda/DeviceHeaders.h"
#include "sinter/ir/Numerics.h"

#include "mlir/IR/Verifier.h"

#include <set>

using namespace mlir;

namespace sinter::codegen {
namespace {

struct PrintedKernel {
  CudaText text;
  std::optional<CudaText> first; // of a kernel in two launches
  LoweredKernel lowered;         // its functions are gone
};

/// Lowers into a module of its own and prints it.
FailureOr<PrintedKernel> printKernel(ir::KernelOp kernel) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(kernel.getLoc());
  OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
  LoweringOptions options = LoweringOptions::of(ir::targetOf(kernel));
  options.gpu = true;
  options.strict = ir::isStrict(kernel);
  FailureOr<LoweredKernel> lowered = lowerKernel(kernel, builder, options);
  if (failed(lowered)) return failure();
  FailureOr<CudaText> text = printCudaKernel(lowered->function, lowered->block);
  if (failed(text)) return failure();
  PrintedKernel printed{std::move(*text), std::nullopt, *lowered};
  if (lowered->first) {
    FailureOr<CudaText> first = printCudaKernel(lowered->first, lowered->firstBlock);
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
  explicit CudaBackend(DumpText dump) : dump(std::move(dump)) {}
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
      FailureOr<PrintedKernel> printed = printKernel(kernel);
      if (failed(printed)) return failure();
      if (dump) dump(kernel.getSymName().str() + ".cu", wholeText(kernel, *printed));
      auto add = [&](const std::string &name, CudaText &text, int64_t grid, int64_t block,
                     int64_t sharedBytes) {
        CompiledPart part;
        part.kernel = program.kernels.size();
        part.shape.grid = {uint32_t(grid), 1, 1};
        part.shape.block = {uint32_t(block), 1, 1};
        part.shape.sharedBytes = uint32_t(sharedBytes);
        runtime::Kernel entry;
        entry.name = name;
        entry.source = std::move(text.source);
        std::set<std::string> headers;
        withIncluded(text.headers, headers);
        for (const std::string &header : headers) entry.headers.push_back(headerIndex.at(header));
        program.kernels.push_back(std::move(entry));
        return part;
      };
      const LoweredKernel &lowered = printed->lowered;
      CompiledKernel result;
      if (printed->first) {
        result.first = add(kernel.getSymName().str() + "_parts", *printed->first, lowered.firstGrid,
                           lowered.firstBlock, lowered.firstSharedBytes);
        result.scratchBytes = lowered.scratchBytes;
      }
      static_cast<CompiledPart &>(result) = add(kernel.getSymName().str(), printed->text,
                                                lowered.grid, lowered.block, lowered.sharedBytes);
      compiled.push_back(result);
    }
    return compiled;
  }

private:
  DumpText dump;
};

} // namespace

std::unique_ptr<Backend> cudaBackend(DumpText dump) {
  return std::make_unique<CudaBackend>(std::move(dump));
}

FailureOr<std::string> cudaText(ir::KernelOp kernel) {
  FailureOr<PrintedKernel> printed = printKernel(kernel);
  if (failed(printed)) return failure();
  return wholeText(kernel, *printed);
}

FailureOr<ir::TargetAttr> cudaTarget(MLIRContext &context, StringRef architecture) {
  // CUDA C++ Programming Guide, "Technical Specifications per Compute Capability": opt-in shared
  // memory of a block and the usual L2 sizes of the family's data-centre part.
  struct Limits {
    StringRef name;
    int64_t sharedBytes, l2Bytes;
    StringRef matrix = "m16n8k16";
  };
  static const Limits known[] = {
      {"sm_75", 64 << 10, 6 << 20, "none"}, {"sm_80", 163 << 10, 40 << 20},
      {"sm_86", 99 << 10, 6 << 20},         {"sm_89", 99 << 10, 72 << 20},
      {"sm_90", 227 << 10, 50 << 20},       {"sm_90a", 227 << 10, 50 << 20},
      {"sm_100", 227 << 10, 126 << 20},     {"sm_120", 99 << 10, 96 << 20}};
  for (const Limits &limits : known)
    if (limits.name == architecture)
      // Static shared arrays end at 48 KiB on every architecture; a launch may ask for more.
      return ir::TargetAttr::get(&context, "cuda", architecture, 16, 128 << 10, limits.l2Bytes,
                                 std::min<int64_t>(limits.sharedBytes, 48 << 10), 1024,
                                 limits.sharedBytes, limits.matrix);
  InFlightDiagnostic error = emitError(UnknownLoc::get(&context))
                             << "unknown GPU architecture '" << architecture << "'; known are";
  for (const Limits &limits : known) error << (&limits == known ? " " : ", ") << limits.name;
  return failure();
}

} // namespace sinter::codegen
