#pragma once

#include "sinter/frontend/Array.h"

#include <optional>
#include <string>
#include <vector>

/// Metrics of predictions that lie on the host, as scikit-learn and seqeval count them. Those that evaluation
/// computes on the device are in Loss.h.
namespace sinter::metrics {

/// The index of the largest element along the last dimension: [N, classes] -> i64 [N].
Array predicted_classes(const Array &logits, Where where = Where::current());

struct ClassScores {
  double precision = 0, recall = 0, f1 = 0; // 0 where nothing is to be divided by
  int64_t support = 0;                      // samples of the class
};

struct ClassificationReport {
  std::vector<std::string> names; // of the classes, in order
  std::vector<ClassScores> classes;
  ClassScores micro, macro, weighted;
  /// Set where every sample has one of the classes, as target and as prediction: it is all three of `micro`.
  std::optional<double> accuracy;

  /// The table that scikit-learn prints. `micro` has its line where there is no accuracy, or if asked for.
  std::string text(int digits = 3, bool alwaysMicro = false) const;
};

struct ReportOptions {
  std::vector<int64_t> labels = {};           // all that occur, ascending, without it
  std::vector<std::string> target_names = {}; // of the labels; their numbers without it
};
/// Of class indices (integers of any shape). What is not among the labels counts for none of them.
ClassificationReport classification_report(const Array &target, const Array &predicted,
                                           ReportOptions options = {},
                                           Where where = Where::current());

/// i64 [C, C]: row i has the samples of class i by what was predicted. `num_classes` 0: one more than the
/// largest index.
Array confusion_matrix(const Array &target, const Array &predicted, int64_t num_classes = 0,
                       Where where = Where::current());

/// The area under the curve of true positives against false positives, of scores for targets that are 0 or 1: how
/// often a positive sample's score is above a negative one's, equal ones counted half. NaN where all targets agree.
double roc_auc(const Array &target, const Array &scores, Where where = Where::current());

/// An entity: words [begin, end] of a sentence.
struct Entity {
  std::string type;
  int64_t begin = 0, end = 0;
  friend auto operator<=>(const Entity &, const Entity &) = default;
};
using Tags = std::vector<std::string>; // "O", "B-PER", "I-PER", ... of a sentence's words
/// The entities of a sentence, as seqeval finds them: an I after O, or of another type, begins one too.
std::vector<Entity> entities(const Tags &tags);
/// Precision, recall and F1 of whole entities by type; one counts where type, begin and end agree.
ClassificationReport entity_report(const std::vector<Tags> &target,
                                   const std::vector<Tags> &predicted,
                                   Where where = Where::current());

} // namespace sinter::metrics
