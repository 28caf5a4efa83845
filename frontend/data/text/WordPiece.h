#pragma once

#include "sinter/frontend/Types.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sinter::data {

struct WordPieceOptions {
  bool do_lower_case = true;
  std::optional<bool> strip_accents = {}; // by default where do_lower_case
  bool tokenize_chinese_chars = true;     // each is a word
  int64_t max_input_chars_per_word = 100; // a longer word is unknown
  std::string unk_token = "[UNK]", sep_token = "[SEP]", pad_token = "[PAD]", cls_token = "[CLS]",
              mask_token = "[MASK]";
};

/// BERT's tokenizer, as Hugging Face's BertTokenizerFast works: text is cleaned of control characters, split at
/// white space and punctuation, and each word is taken apart into the longest pieces of the vocabulary, of which
/// all but the first begin with "##". Special tokens that stand in a text count as such. Devlin et al., 2018.
class WordPiece {
public:
  /// One token a line; a token's number is its line's. A file that is no UTF-8 or lacks the unknown token,
  /// or the ones that stand around a sentence or fill it up: a RuntimeError.
  explicit WordPiece(const std::string &vocabulary_file, WordPieceOptions options = {});
  /// `vocab.txt`, with `tokenizer_config.json` if the folder has one.
  static WordPiece from_folder(const std::string &folder);
  /// A vocabulary at hand; `name` is what errors call it.
  WordPiece(std::vector<std::string> vocabulary, WordPieceOptions options,
            const std::string &name = "the vocabulary");

  /// What stands before pieces are looked for: words and punctuation, cleaned. No special tokens.
  std::vector<std::string> words(std::string_view text, Where where = Where::current()) const;
  /// The pieces of a text, nothing around them. Text that is no UTF-8: a UserError.
  std::vector<std::string> tokenize(std::string_view text, Where where = Where::current()) const;
  /// Their numbers.
  std::vector<int64_t> ids(std::string_view text, Where where = Where::current()) const;

  struct Encoding {
    std::vector<int64_t> ids = {}; // [CLS], pieces, [SEP]
    /// Of each word, the place of its first piece among `ids`; -1 where it has none, or was cut off.
    std::vector<int64_t> first_piece = {};
    bool truncated = false;
  };
  /// A sentence of words. Pieces that would make it longer than `max_length`, [CLS] and [SEP] counted, are
  /// left out at the end.
  Encoding encode(const std::vector<std::string> &words, int64_t max_length,
                  Where where = Where::current()) const;

  /// The number of a token; that of the unknown token for one that is not in the vocabulary.
  int64_t id(const std::string &token) const;
  const std::vector<std::string> &vocabulary() const { return tokens_; }
  const WordPieceOptions &options() const { return options_; }
  int64_t pad_id() const { return id(options_.pad_token); }
  /// Writes `vocab.txt` and `tokenizer_config.json`, which from_folder and Hugging Face read.
  void save(const std::string &folder) const;

private:
  void index(const std::string &name);
  std::vector<std::u32string> split(std::u32string_view text) const;
  void pieces(const std::u32string &word, std::vector<int64_t> &into) const;

  WordPieceOptions options_;
  std::vector<std::string> tokens_;
  std::unordered_map<std::string, int64_t> numbers_;
};

} // namespace sinter::data
