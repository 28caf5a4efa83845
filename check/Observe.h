#pragma once

#include "sinter/check/Compare.h"

#include "mlir/IR/BuiltinOps.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

/// What a module is to those who use it, so that two states of it can be held against each other.
namespace sinter::check {

/// The inputs of one function, round by round.
struct Round {
  std::string name; // "plain 0"
  Values inputs;
};
using Rounds = std::map<std::string, std::vector<Round>>; // by function

/// Something a check found wrong, in a word ("value", "location", ...) and in sentences.
struct Problem {
  std::string kind, text;
};

/// A module at rest.
struct Observation {
  std::string text; // with locations
  /// Types of arguments and results and their attributes, by function.
  std::map<std::string, std::string> signatures;
  std::set<std::string> lines;
  std::map<std::string, std::vector<Values>> results; // by function, one per round
};

/// How a module is evaluated.
struct EvaluateOptions {
  /// With every float as f64: what is left is the graph without its roundings.
  bool asF64 = false;
};

/// Notes what `module` is and what its functions compute; gradients that are still closed are opened in a copy.
/// Nothing, with the reason in `problem`, when a function cannot be evaluated.
std::optional<Observation> observe(mlir::ModuleOp module, const Rounds &rounds,
                                   std::string &problem, const EvaluateOptions &options = {});

/// Rounds for every function with a body, of each way to draw: those on which the function can be evaluated
/// (an index may be out of range, an integer be divided by zero). Nothing, with the reason in `problem`, when a
/// function has none.
std::optional<Rounds> drawRounds(mlir::ModuleOp module, uint64_t seed, int plain, bool edges,
                                 std::string &problem);

/// What is wrong with `after`, made by a pass from `before`, or nothing. `original` and `changed` are the
/// modules that were observed, for the ops to be named.
std::optional<Problem> compare(const Observation &before, const Observation &after,
                               mlir::ModuleOp original, mlir::ModuleOp changed,
                               const Rounds &rounds, const EvaluateOptions &options = {});

/// What is wrong with the module alone: it does not verify, ops without location, a memory plan that does not
/// hold.
std::optional<Problem> checkAtRest(mlir::ModuleOp module);

/// The module's text with locations.
std::string exactText(mlir::ModuleOp module);

/// Collects errors of a context while it lives.
class Errors {
public:
  explicit Errors(mlir::MLIRContext *context);
  /// What was said since it was last asked.
  std::string take();

private:
  std::string text;
  mlir::ScopedDiagnosticHandler handler;
};

} // namespace sinter::check
