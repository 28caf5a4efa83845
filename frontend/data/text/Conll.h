#pragma once

#include "sinter/frontend/Metrics.h"
#include "sinter/frontend/data/Dataset.h"
#include "sinter/frontend/data/text/WordPiece.h"

/// Words with tags, such as named entities, from a file to batches and back.
namespace sinter::data {

struct TaggedSentence {
  std::vector<std::string> words = {};
  metrics::Tags tags = {};
  int64_t line = 0; // of its first word
};

/// A file in the manner of CoNLL-2003: a word a line, columns separated by spaces or tabs, the word in the first
/// and its tag in the last one, an empty line after each sentence. Lines that begin with -DOCSTART- end a
/// sentence and are left out, as are sentences without words. Tags are O, B-TYPE and I-TYPE. A line with one
/// column or with another number of columns than the first, another tag, or text that is no UTF-8: a
/// RuntimeError with file and line.
std::vector<TaggedSentence> read_conll(const std::string &path);

/// How entities begin: "IO", always with I; "IOB1", with B after another of the type; "IOB2", always with B.
std::string tagging_scheme(const std::vector<TaggedSentence> &sentences);

/// The tags that occur: O, then the others by their letters.
std::vector<std::string> labels(const std::vector<TaggedSentence> &sentences);

struct TokenClassesOptions {
  int64_t max_length = 128; // pieces, [CLS] and [SEP] counted; what is beyond is cut off
  int64_t length = 0;       // of every sample; 0: the longest one's, rounded up to a multiple of 8
  int64_t ignore_index = -100; // target of all places but the first pieces of words
};

/// Sentences as a tokenizer's numbers: x is i64 [N, L], filled up with the padding token, y i64 [N, L] has the number
/// of a word's tag at its first piece.
class TokenClasses : public TensorDataset {
public:
  /// `name` stands for the sentences in errors: a tag that is not among `labels` is a RuntimeError with its line.
  TokenClasses(const std::vector<TaggedSentence> &sentences, const WordPiece &tokenizer,
               std::vector<std::string> labels, TokenClassesOptions options = {},
               const std::string &name = "the data", Where where = Where::current());

  int64_t length() const { return x().shape()[1]; }
  /// Sentences that lost words or pieces at their ends.
  int64_t truncated() const { return truncated_; }
  /// The tags that logits [N, L, labels] give to the words; O to those that the model has not seen.
  std::vector<metrics::Tags> tags(const Array &logits, Where where = Where::current()) const;
  const std::vector<std::string> &label_names() const { return labels_; }

private:
  std::vector<std::string> labels_;
  std::vector<std::vector<int64_t>> firstPieces_;
  int64_t truncated_ = 0;
};

} // namespace sinter::data
