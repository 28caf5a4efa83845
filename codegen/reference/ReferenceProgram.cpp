#include "sinter/codegen/reference/ReferenceProgram.h"
#include "sinter/codegen/reference/Evaluator.h"
#include "sinter/ir/Sinter.h"

#include "mlir/Parser/Parser.h"

using namespace mlir;
using namespace sinter::codegen;
namespace ir = sinter::ir;
namespace runtime = sinter::runtime;

namespace {

/// What a Program's kernels keep alive.
struct ModuleCopy {
  MLIRContext context;
  OwningOpRef<ModuleOp> module;

  explicit ModuleCopy(const DialectRegistry &registry)
      : context(registry, MLIRContext::Threading::DISABLED) {}
};

/// A copy that shares nothing with the module's context. The text form keeps everything, locations too.
std::shared_ptr<ModuleCopy> copyOf(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream, OpPrintingFlags().enableDebugInfo().useLocalScope());
  DialectRegistry registry;
  ir::registerDialects(registry);
  auto copy = std::make_shared<ModuleCopy>(registry);
  copy->context.loadAllAvailableDialects();
  copy->module = parseSourceString<ModuleOp>(text, &copy->context);
  return copy;
}

/// How a function's arguments and results map to the buffers of its launch.
struct Signature {
  SmallVector<int64_t> resultBuffers; // per result
  int64_t numArguments = 0;
};

runtime::Status run(func::FuncOp function, const Signature &signature,
                    std::span<void *const> buffers) {
  std::string errors;
  ScopedDiagnosticHandler collect(function.getContext(), [&](Diagnostic &diagnostic) {
    llvm::raw_string_ostream stream(errors);
    if (!errors.empty()) stream << "; ";
    stream << diagnostic.getLocation() << ": " << diagnostic.str();
    return success();
  });
  SmallVector<HostTensor> inputs;
  for (int64_t i = 0; i < signature.numArguments; ++i)
    inputs.push_back(fromBytes(cast<RankedTensorType>(function.getArgumentTypes()[i]), buffers[i]));
  EvaluatorOptions options;
  options.trackErrors = false;
  FailureOr<SmallVector<HostTensor>> results = evaluate(function, inputs, options);
  if (failed(results)) return {runtime::ErrorCode::invalidArgument, errors};
  // Results may share storage with arguments: written when all are known.
  for (auto [result, buffer] : llvm::zip_equal(*results, signature.resultBuffers))
    toBytes(result, buffers[buffer]);
  return {};
}

class ProgramMaker {
public:
  FailureOr<runtime::Program> make(ModuleOp module) {
    copy = copyOf(module);
    if (!copy->module)
      return module.emitError("cannot be copied for the reference device"), failure();
    program.target = runtime::TargetKind::reference;
    program.keepAlive = copy;
    for (auto function : copy->module->getOps<func::FuncOp>())
      if (function.isPublic() && !function.isExternal())
        if (failed(addEntry(function, module.lookupSymbol<func::FuncOp>(function.getName()))))
          return failure();
    return std::move(program);
  }

private:
  static runtime::StateRole stateRoleOf(StringRef role) {
    if (role == "state") return runtime::StateRole::state;
    if (role == "scalar") return runtime::StateRole::scalar;
    return role == "seed" ? runtime::StateRole::seed : runtime::StateRole::parameter;
  }

  FailureOr<uint32_t> stateIndex(func::FuncOp original, unsigned argument, StringRef role,
                                 const runtime::TensorType &type) {
    auto name = original.getArgAttrOfType<StringAttr>(argument, ir::nameAttr);
    if (!name)
      return original.emitOpError("argument ")
                 << argument << " of role '" << role << "' has no sinter.name",
             failure();
    int known = program.findState(name.getValue());
    if (known < 0) {
      program.state.push_back({name.str(), type, stateRoleOf(role)});
      return program.state.size() - 1;
    }
    if (program.state[known].type != type)
      return original.emitOpError("variable '")
                 << name.getValue() << "' is " << type.text() << " here and "
                 << program.state[known].type.text() << " in another entry",
             failure();
    return known;
  }

  /// Errors are reported on the caller's function.
  LogicalResult addEntry(func::FuncOp function, func::FuncOp original) {
    runtime::Entry entry;
    entry.name = function.getName().str();
    runtime::Launch launch;
    launch.kernel = program.kernels.size();
    launch.label = entry.name;
    Signature signature;
    signature.numArguments = function.getNumArguments();
    signature.resultBuffers.assign(function.getNumResults(), -1);

    for (BlockArgument argument : function.getArguments()) {
      unsigned number = argument.getArgNumber();
      auto type = tensorTypeOf(cast<RankedTensorType>(argument.getType()));
      StringRef role = ir::roleOf(argument);
      runtime::PointerParam parameter;
      parameter.location.bytes = type.numBytes();
      if (role == "input") {
        auto name = function.getArgAttrOfType<StringAttr>(number, ir::nameAttr);
        parameter.location.space = runtime::Space::input;
        parameter.location.index = entry.inputs.size();
        entry.inputs.push_back(
            {name ? name.str() : "in" + std::to_string(entry.inputs.size()), type});
      } else {
        FailureOr<uint32_t> index = stateIndex(original, number, role, type);
        if (failed(index)) return failure();
        parameter.location.space = runtime::Space::state;
        parameter.location.index = *index;
        if (auto donated = function.getArgAttrOfType<IntegerAttr>(number, ir::donatedAttr)) {
          signature.resultBuffers[donated.getInt()] = number;
          parameter.written = true;
        }
      }
      launch.params.push_back(parameter);
    }
    for (unsigned result = 0; result < function.getNumResults(); ++result) {
      if (signature.resultBuffers[result] >= 0) continue;
      auto type = tensorTypeOf(cast<RankedTensorType>(function.getResultTypes()[result]));
      auto name = function.getResultAttrOfType<StringAttr>(result, ir::nameAttr);
      runtime::Location place{runtime::Space::output, uint32_t(entry.outputs.size()), 0,
                              type.numBytes()};
      entry.outputs.push_back(
          {name ? name.str() : "out" + std::to_string(entry.outputs.size()), type});
      signature.resultBuffers[result] = launch.params.size();
      launch.params.push_back(runtime::PointerParam{place, /*written=*/true});
    }

    runtime::Kernel kernel;
    kernel.name = entry.name;
    kernel.host = [function, signature, keep = copy](std::span<void *const> buffers) {
      return run(function, signature, buffers);
    };
    program.kernels.push_back(std::move(kernel));
    entry.body.push_back({std::move(launch), {}});
    program.entries.push_back(std::move(entry));
    return success();
  }

  std::shared_ptr<ModuleCopy> copy;
  runtime::Program program;
};

} // namespace

FailureOr<runtime::Program> sinter::codegen::referenceProgram(ModuleOp module) {
  return ProgramMaker().make(module);
}
