#pragma once

#include "sinter/check/CheckPipeline.h"
#include "sinter/check/Corpus.h"

namespace sinter::check {

/// A pass under test and where it stands in the pipeline.
struct PassUnderTest {
  std::string place = "before-fusion"; // one of the pipeline's named places
  std::string pipeline;                // "func.func(my-pass)"
};

/// The places of the pipeline, in order.
std::vector<std::string> places();

/// `pipeline` with the anchors that its passes ask for: "my-pass" becomes "func.func(my-pass)". Nothing, with the
/// reason in `problem`, when it names a pass that nobody registered.
std::optional<std::string> anchored(llvm::StringRef pipeline, std::string &problem);

struct SpecimenReport {
  bool changed = false; // the pass did something
  std::optional<Problem> problem;
};

/// Tries a pass on one specimen, for a CPU or, where its seed is odd, for a GPU: Sinter's own passes up to its place
/// run first. Then the pass is checked as
/// checkPass does, must change nothing when it runs again, and the passes after its place must accept what it left
/// and compute the same.
SpecimenReport checkSpecimen(const Specimen &specimen, const PassUnderTest &pass);

/// Processor time of a pass on `copies` copies of a specimen: the least of several runs, in seconds. Negative
/// when it fails there.
double timePass(const Specimen &specimen, const PassUnderTest &pass, int64_t copies);

/// Names of all passes that are registered in this process.
std::set<std::string> registeredPasses();

} // namespace sinter::check
