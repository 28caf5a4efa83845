#include "sinter/frontend/CompileFile.h"

#include "sinter/frontend/detail/CompileModule.h"
#include "sinter/frontend/detail/Compiler.h"
#include "sinter/frontend/detail/Dump.h"
#include "sinter/frontend/detail/Plugins.h"
#include "sinter/frontend/detail/Traced.h"
#include "sinter/runtime/Environment.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"

#include <cstring>
#include <exception>

using namespace mlir;

namespace sinter::detail {
namespace {

/// Gives a dictionary of attributes to arguments or results that were added.
ArrayAttr padded(OpBuilder &b, ArrayAttr known, size_t count) {
  SmallVector<Attribute> all;
  if (known) all.assign(known.begin(), known.end());
  all.resize(count, b.getDictionaryAttr({}));
  return b.getArrayAttr(all);
}

/// Appends the cotangents of the function's floating-point results to its arguments, and the gradients
/// of its floating-point arguments ("gradN" for argument N) to its results.
LogicalResult addGradients(func::FuncOp function) {
  Block &body = function.getBody().front();
  Operation *terminator = body.getTerminator();
  OpBuilder b(terminator);
  auto isFloat = [](Value value) { return isa<FloatType>(ir::elementOf(value)); };
  SmallVector<Value> outputs = llvm::filter_to_vector(terminator->getOperands(), isFloat);
  SmallVector<Value> wrt, cotangents;
  for (BlockArgument argument : body.getArguments())
    if (isFloat(argument)) wrt.push_back(argument);
  if (wrt.empty() || outputs.empty())
    return function.emitError() << "function '" << function.getName() << "' has no floating-point "
                                << (wrt.empty() ? "argument" : "result")
                                << ", so there are no gradients";
  for (Value output : outputs)
    cotangents.push_back(body.addArgument(output.getType(), function.getLoc()));
  auto gradient = ir::GradientOp::create(b, function.getLoc(), TypeRange(ValueRange(wrt)), outputs,
                                         wrt, cotangents);
  unsigned firstGradient = terminator->getNumOperands();
  terminator->insertOperands(firstGradient, gradient.getResults());
  ArrayAttr arguments = function.getArgAttrsAttr(), results = function.getResAttrsAttr();
  function.setFunctionType(
      b.getFunctionType(body.getArgumentTypes(), terminator->getOperandTypes()));
  function.setArgAttrsAttr(padded(b, arguments, body.getNumArguments()));
  function.setResAttrsAttr(padded(b, results, terminator->getNumOperands()));
  for (auto [number, value] : llvm::enumerate(wrt))
    function.setResultAttr(
        firstGradient + number, ir::nameAttr,
        b.getStringAttr("grad" + std::to_string(cast<BlockArgument>(value).getArgNumber())));
  return success();
}

/// The function to compile; every other one goes.
FailureOr<func::FuncOp> chooseFunction(ModuleOp module, StringRef name) {
  func::FuncOp chosen;
  std::string names;
  int count = 0;
  for (auto function : module.getOps<func::FuncOp>()) {
    names += (count++ ? ", " : "") + function.getName().str();
    if (name.empty() || function.getName() == name) chosen = function;
  }
  if (name.empty() && count > 1)
    return module.emitError() << "the module has several functions, choose one with --entry: "
                              << names;
  if (!chosen)
    return module.emitError() << "there is no function '" << name << "'; there are: " << names;
  for (auto function : llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
    if (function != chosen) function.erase();
  return chosen;
}

runtime::Program *compileFile(const SinterCompileRequest &request, std::string &error) {
  loadPlugins(runtime::environment::passPlugins());
  DialectRegistry registry;
  ir::registerDialects(registry);
  MLIRContext context(registry);
  context.loadAllAvailableDialects();
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() != DiagnosticSeverity::Error) return failure();
    llvm::raw_string_ostream stream(error);
    if (!error.empty()) stream << "\n";
    if (auto file = diagnostic.getLocation()->findInstanceOf<FileLineColLoc>())
      stream << file.getFilename().getValue() << ":" << file.getLine() << ": ";
    stream << diagnostic.str();
    return success();
  });
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(request.path, &context);
  if (!module) {
    if (error.empty()) error = std::string("cannot read ") + request.path;
    return nullptr;
  }
  FailureOr<func::FuncOp> function = chooseFunction(*module, request.entry);
  if (failed(function)) return nullptr;
  if (request.gradient && failed(addGradients(*function))) return nullptr;
  ModuleOptions options;
  options.device = request.device;
  options.numerics = request.numerics;
  options.architecture = request.architecture;
  options.alternatives = request.alternatives;
  options.tf32 = request.tf32;
  options.early = options.device == "cuda";
  Dump dump(*request.dumpDir ? request.dumpDir : runtime::environment::dumpDir(),
            function->getName().str(), options.device, options.precision);
  if (dump) {
    options.assembly = check(runtime::environment::dumpAssembly());
    options.afterStage = [&](StringRef stage, StringRef pipeline, ModuleOp module) {
      dump.stage(stage, pipeline, module);
    };
    options.text = [&](const std::string &name, const std::string &text) { dump.file(name, text); };
  }
  std::string stage;
  FailureOr<runtime::Program> program = compileModule(*module, options, &stage);
  if (failed(program)) {
    if (error.empty()) error = "compilation failed in " + stage;
    return nullptr;
  }
  dump.finish(*program, options.assembly);
  return new runtime::Program(std::move(*program));
}

} // namespace
} // namespace sinter::detail

extern "C" sinter::runtime::Program *sinterCompileFile(const SinterCompileRequest *request,
                                                       char **error) {
  std::string message;
  sinter::runtime::Program *program = nullptr;
  try {
    program = sinter::detail::compileFile(*request, message);
  } catch (const std::exception &failure) { // a dump folder that cannot be made
    message = failure.what();
  }
  if (!program && error) *error = strdup(message.c_str());
  return program;
}
