// sinter-check MODEL.mlir: runs the pipeline a pass at a time, compares what the module computes after each
// with what it computed before, by the reference evaluator, and names the first pass that broke it.

#include "sinter/check/CheckPipeline.h"
#include "sinter/codegen/reference/HostTensor.h"
#include "sinter/frontend/detail/Plugins.h"
#include "sinter/ir/Sinter.h"
#include "sinter/runtime/Npy.h"

#include "mlir/Parser/Parser.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <csignal>
#include <cstring>
#include <exception>
#include <iostream>
#include <unistd.h>

using namespace sinter;

namespace {

struct Options {
  std::string file, device = "cpu", entry;
  std::vector<std::string> plugins, inserts, inputs;
  check::PipelineCheckOptions check;
  bool quiet = false, noDevice = false, noEdges = false;
};

/// What is running, for a crash: nothing else may be touched by then.
char running[256];

void onCrash(int signal) {
  auto say = [](const char *text) { (void)!write(STDERR_FILENO, text, std::strlen(text)); };
  say("sinter-check: BLAMED ");
  say(running);
  say(": it crashed (");
  say(strsignal(signal));
  say(")\n");
  _exit(1);
}

struct Failure {
  std::string text;
};

/// The inputs of `function` read from files, one per argument.
check::Rounds readInputs(mlir::func::FuncOp function, const std::vector<std::string> &files) {
  if (files.size() != function.getNumArguments())
    throw Failure{fmt::format("@{} has {} arguments, {} inputs are given", function.getName().str(),
                              function.getNumArguments(), files.size())};
  check::Round round{"the inputs given", {}};
  for (auto [file, type] : llvm::zip_equal(files, function.getArgumentTypes())) {
    auto array = runtime::readNpy(file);
    if (!array.ok()) throw Failure{array.error().message};
    auto tensor = llvm::cast<mlir::RankedTensorType>(type);
    if (array->type.shape != codegen::tensorTypeOf(tensor).shape ||
        array->type.dtype != codegen::tensorTypeOf(tensor).dtype)
      throw Failure{fmt::format("{} holds {}, the argument is {}", file, array->type.text(),
                                codegen::tensorTypeOf(tensor).text())};
    round.inputs.push_back(codegen::fromBytes(tensor, array->bytes.data()));
  }
  return {{function.getName().str(), {round}}};
}

int runChecks(Options &options) {
  detail::loadPlugins(options.plugins);
  for (const std::string &insert : options.inserts) {
    size_t colon = insert.find(':');
    if (colon == std::string::npos) throw Failure{"--insert wants PLACE:PIPELINE, not " + insert};
    options.check.pipeline.insertions.push_back(
        {insert.substr(0, colon), insert.substr(colon + 1)});
  }
  mlir::DialectRegistry registry;
  ir::registerDialects(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  auto module = mlir::parseSourceFile<mlir::ModuleOp>(options.file, &context);
  if (!module) return 2; // the parser has said why
  if (mlir::failed(check::setTarget(*module, options.device))) return 2;
  options.check.devices = {options.device};
  if (options.noDevice) options.check.devices.clear();
  options.check.edges = !options.noEdges;
  if (!options.inputs.empty()) {
    auto functions = llvm::to_vector(module->getOps<mlir::func::FuncOp>());
    if (functions.size() != 1) throw Failure{"--input wants a module of one function"};
    options.check.rounds = readInputs(functions.front(), options.inputs);
  }
  options.check.about = [](const std::string &what) {
    std::strncpy(running, what.c_str(), sizeof running - 1);
  };
  for (int signal : {SIGSEGV, SIGABRT, SIGFPE, SIGILL, SIGBUS}) std::signal(signal, onCrash);
  check::PipelineReport report = check::checkPipeline(*module, options.check);
  if (!options.quiet)
    for (const auto &line : report.passed)
      fmt::print("{:<16} {:<28} {}\n", line.step.place, line.step.pass,
                 line.changed ? "ok" : "ok, nothing changed");
  for (const std::string &note : report.notes) fmt::print("note: {}\n", note);
  if (report.blamed) {
    fmt::print("BLAMED {} ({}): {}: {}\n", report.blamed->pass, report.blamed->place,
               report.problem.kind, report.problem.text);
    return 1;
  }
  fmt::print("{} passes, nothing to blame: {} elements compared after each\n", report.passed.size(),
             report.elements);
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  CLI::App app{"Runs the pipeline pass by pass and names the first pass that broke the result.\n"
               "Exit status: 0 nothing to blame, 1 a pass is blamed, 2 the call was wrong."};
  app.add_option("file", options.file, "a module of sinter functions, as dumps begin with")
      ->required();
  app.add_option("--load-pass-plugin,--load-plugin", options.plugins,
                 "a shared library of passes; may be given several times");
  app.add_option(
      "--insert", options.inserts,
      "PLACE:PIPELINE, a pipeline put at a named place: after-fusion:func.func(my-pass)");
  app.add_option("--input", options.inputs, "an .npy file per argument, instead of drawn inputs");
  app.add_option("--device", options.device, "cpu or cuda-emulated")
      ->check(CLI::IsMember({"cpu", "cuda-emulated"}));
  app.add_option("--precision", options.check.pipeline.precision, "f32 or bf16")
      ->check(CLI::IsMember({"f32", "bf16"}));
  app.add_option("--seed", options.check.seed, "of the inputs");
  app.add_option("--rounds", options.check.plainRounds, "evaluations on evenly spread inputs");
  app.add_flag("--no-edges", options.noEdges, "no inputs with ties, zeros, NaN and infinities");
  app.add_flag("--no-device", options.noDevice, "leave out code generation");
  app.add_flag("--quiet", options.quiet, "say only what is wrong");
  CLI11_PARSE(app, argc, argv);
  try {
    return runChecks(options);
  } catch (const Failure &failure) {
    std::cerr << "sinter-check: " << failure.text << "\n";
  } catch (const std::exception &error) { std::cerr << "sinter-check: " << error.what() << "\n"; }
  return 2;
}
