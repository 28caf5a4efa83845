#pragma once

#include "sinter/check/Observe.h"
#include "sinter/passes/Pipeline.h"

#include <functional>

namespace sinter::check {

struct PipelineCheckOptions {
  passes::PipelineOptions pipeline;
  uint64_t seed = 0;
  int plainRounds = 2;
  /// Rounds of ties, zeros, NaN and infinities too.
  bool edges = true;
  /// Devices that code generation is checked on, "cpu" or "cuda-emulated"; what cannot be had here is
  /// skipped, with a note.
  std::vector<std::string> devices = {"cpu"};
  /// Given inputs by function instead of drawn ones.
  Rounds rounds;
  /// Told the name of what is about to run: a crash is then its.
  std::function<void(const std::string &)> about;
};

/// One pass and where it stands.
struct PassStep {
  std::string place;    // the stage: "fusion", or for passes from outside "after-fusion"
  std::string pipeline; // that replays it: "func.func(cse)"
  std::string pass;     // "cse"
};

struct PipelineReport {
  struct Line {
    PassStep step;
    bool changed = false;
    double seconds = 0;
  };
  std::vector<Line> passed;
  std::vector<std::string> notes;
  /// Set when something is wrong: the first step that is to blame. A step of code generation has the
  /// place "code generation" and the device as its pass.
  std::optional<PassStep> blamed;
  Problem problem;
  int64_t elements = 0; // compared, in all rounds after all passes
};

/// Runs the pipeline on `module` a pass at a time and checks each: that it succeeds, twice in the same
/// way; that the module then verifies, keeps its signatures and locations, has a memory plan that holds;
/// and that the evaluator finds the same results on seeded inputs, within its bounds. The mixed-precision pass
/// changes roundings: there the graphs without their roundings are compared. Beside the module goes its twin, in
/// which every float is f64: what an f32's bound would hide stands out there. At the end kernels are
/// compiled and run on the devices and compared with the evaluator.
PipelineReport checkPipeline(mlir::ModuleOp module, const PipelineCheckOptions &options);

/// What is wrong with one pass (`pipeline`, as PassStep has it) on `module`, which becomes what the pass
/// makes of it; `before` is renewed. `changed` says whether the text is another.
std::optional<Problem> checkPass(mlir::ModuleOp module, const PassStep &step, const Rounds &rounds,
                                 Observation &before, bool &changed);

/// A copy of `module` with every float as f64, and `rounds` for it; null where there is none (fused regions).
mlir::OwningOpRef<mlir::ModuleOp> twinOf(mlir::ModuleOp module, Rounds &rounds);

/// A module in f64 that passes are tried on, too.
class Twin {
public:
  /// What twinOf has made, and its rounds.
  Twin(mlir::OwningOpRef<mlir::ModuleOp> module, Rounds rounds);
  /// Runs a pass and compares results. A pass that treats f64 otherwise ends the twin; nothing is said of that.
  std::optional<Problem> check(const PassStep &step);

private:
  mlir::OwningOpRef<mlir::ModuleOp> module;
  Rounds rounds;
  std::optional<Observation> before;
};

/// Each pass of a textual pipeline alone: "func.func(a,b{x=1}),c" becomes func.func(a), func.func(b{x=1}), c.
std::vector<PassStep> splitPipeline(const std::string &place, llvm::StringRef pipeline);

/// Runs a planned module on a device and compares with the evaluator's results.
std::optional<Problem> checkOnDevice(mlir::ModuleOp planned, const std::string &device,
                                     const Rounds &rounds, const Observation &expected,
                                     std::string &absent);

/// Sets the module's target for "cpu" or "cuda-emulated".
mlir::LogicalResult setTarget(mlir::ModuleOp module, const std::string &device);

} // namespace sinter::check
