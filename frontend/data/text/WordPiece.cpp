#include "sinter/frontend/data/text/WordPiece.h"

#include "sinter/frontend/Errors.h"
#include "sinter/frontend/data/text/Lines.h"
#include "sinter/frontend/detail/GzFile.h"
#include "sinter/frontend/detail/Unicode.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace sinter::data {

using detail::decodeUtf8, detail::encodeUtf8;

static std::vector<std::string> readVocabulary(const std::string &path) {
  std::vector<std::string> tokens;
  for (text::Line &line : text::lines(path)) tokens.push_back(std::move(line.text));
  return tokens;
}

WordPiece::WordPiece(const std::string &vocabulary_file, WordPieceOptions options)
    : options_(std::move(options)), tokens_(readVocabulary(vocabulary_file)) {
  index(vocabulary_file);
}

WordPiece::WordPiece(std::vector<std::string> vocabulary, WordPieceOptions options,
                     const std::string &name)
    : options_(std::move(options)), tokens_(std::move(vocabulary)) {
  index(name);
}

void WordPiece::index(const std::string &name) {
  for (size_t i = 0; i < tokens_.size(); ++i) numbers_[tokens_[i]] = static_cast<int64_t>(i);
  for (const std::string *token :
       {&options_.unk_token, &options_.cls_token, &options_.sep_token, &options_.pad_token})
    if (!numbers_.count(*token))
      detail::failCorrupt(name, fmt::format("the vocabulary lacks {}", *token));
}

WordPiece WordPiece::from_folder(const std::string &folder) {
  WordPieceOptions options;
  std::string path = folder + "/tokenizer_config.json";
  if (std::filesystem::exists(path)) {
    std::ifstream file(path);
    auto json = nlohmann::json::parse(file, nullptr, false);
    if (!json.is_object()) detail::failCorrupt(path, "no JSON object");
    auto flag = [&](const char *name, auto &value) {
      auto found = json.find(name);
      if (found == json.end() || found->is_null()) return;
      if (!found->is_boolean()) detail::failCorrupt(path, fmt::format("{} is no boolean", name));
      value = found->get<bool>();
    };
    flag("do_lower_case", options.do_lower_case);
    flag("strip_accents", options.strip_accents);
    flag("tokenize_chinese_chars", options.tokenize_chinese_chars);
    auto token = [&](const char *name, std::string &value) {
      auto found = json.find(name);
      if (found == json.end() || found->is_null()) return;
      // Either the token itself or an object that describes it.
      if (found->is_object() && found->contains("content")) found = found->find("content");
      if (!found->is_string()) detail::failCorrupt(path, fmt::format("{} is no text", name));
      value = found->get<std::string>();
    };
    token("unk_token", options.unk_token), token("sep_token", options.sep_token);
    token("pad_token", options.pad_token), token("cls_token", options.cls_token);
    token("mask_token", options.mask_token);
  }
  return WordPiece(folder + "/vocab.txt", options);
}

void WordPiece::save(const std::string &folder) const {
  std::ofstream vocabulary(folder + "/vocab.txt", std::ios::binary);
  for (const std::string &token : tokens_) vocabulary << token << "\n";
  nlohmann::ordered_json json{{"do_lower_case", options_.do_lower_case},
                              {"strip_accents", nullptr},
                              {"tokenize_chinese_chars", options_.tokenize_chinese_chars},
                              {"unk_token", options_.unk_token},
                              {"sep_token", options_.sep_token},
                              {"pad_token", options_.pad_token},
                              {"cls_token", options_.cls_token},
                              {"mask_token", options_.mask_token},
                              {"tokenizer_class", "BertTokenizer"}};
  if (options_.strip_accents) json["strip_accents"] = *options_.strip_accents;
  std::ofstream config(folder + "/tokenizer_config.json", std::ios::binary);
  config << json.dump(2) << "\n";
  if (!vocabulary.flush() || !config.flush())
    throw RuntimeError({runtime::ErrorCode::ioFailure, folder + ": cannot be written"});
}

int64_t WordPiece::id(const std::string &token) const {
  auto found = numbers_.find(token);
  return (found != numbers_.end() ? found : numbers_.find(options_.unk_token))->second;
}

static bool isChinese(char32_t c) {
  return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) ||
         (c >= 0x20000 && c <= 0x2a6df) || (c >= 0x2a700 && c <= 0x2b73f) ||
         (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b820 && c <= 0x2ceaf) ||
         (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

/// What splits words: signs of ASCII that Unicode does not call punctuation do, too ("$", "+", "^").
static bool splits(char32_t c) {
  if (c < 0x80)
    return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) ||
           (c >= 123 && c <= 126);
  return detail::isPunctuation(c);
}

std::vector<std::u32string> WordPiece::split(std::u32string_view text) const {
  std::u32string clean;
  clean.reserve(text.size());
  for (char32_t c : text) {
    bool space =
        c == '\t' || c == '\n' || c == '\r' || (detail::isSpace(c) && !detail::isControl(c));
    if (space)
      clean += ' ';
    else if (c == 0 || c == 0xfffd || detail::isControl(c))
      continue;
    else if (options_.tokenize_chinese_chars && isChinese(c))
      clean += {' ', c, ' '};
    else
      clean += c;
  }
  if (options_.strip_accents.value_or(options_.do_lower_case)) clean = detail::withoutMarks(clean);
  if (options_.do_lower_case) clean = detail::lowerCase(clean);

  std::vector<std::u32string> words;
  bool inside = false;
  for (char32_t c : clean) {
    if (detail::isSpace(c)) {
      inside = false;
    } else if (splits(c)) {
      words.push_back({c});
      inside = false;
    } else {
      if (!inside) words.emplace_back();
      words.back() += c;
      inside = true;
    }
  }
  return words;
}

void WordPiece::pieces(const std::u32string &word, std::vector<int64_t> &into) const {
  int64_t unknown = id(options_.unk_token);
  if (static_cast<int64_t>(word.size()) > options_.max_input_chars_per_word) {
    into.push_back(unknown);
    return;
  }
  size_t before = into.size();
  std::string bytes = encodeUtf8(word), piece;
  // Greedily the longest piece; ends are tried at the beginnings of characters alone.
  for (size_t begin = 0; begin < bytes.size();) {
    size_t end = bytes.size();
    for (; end > begin; --end) {
      if (end < bytes.size() && (static_cast<uint8_t>(bytes[end]) & 0xc0) == 0x80) continue;
      piece = begin ? "##" : "";
      piece.append(bytes, begin, end - begin);
      auto found = numbers_.find(piece);
      if (found == numbers_.end()) continue;
      into.push_back(found->second);
      break;
    }
    if (end == begin) { // a part that no piece begins: the word is unknown as a whole
      into.resize(before);
      into.push_back(unknown);
      return;
    }
    begin = end;
  }
}

static std::u32string decoded(std::string_view text, Where where) {
  size_t bad = 0;
  auto points = decodeUtf8(text, &bad);
  if (!points)
    throw UserError(fmt::format("data::WordPiece: the text is no UTF-8 at byte {}", bad), where);
  return std::move(*points);
}

std::vector<std::string> WordPiece::words(std::string_view text, Where where) const {
  std::vector<std::string> found;
  for (const std::u32string &word : split(decoded(text, where))) found.push_back(encodeUtf8(word));
  return found;
}

std::vector<int64_t> WordPiece::ids(std::string_view text, Where where) const {
  decoded(text, where);
  std::vector<int64_t> numbers;
  auto plain = [&](std::string_view part) {
    for (const std::u32string &word : split(*decodeUtf8(part))) pieces(word, numbers);
  };
  while (true) { // up to the special token that comes first
    size_t first = text.npos;
    const std::string *special = nullptr;
    for (const std::string *token : {&options_.unk_token, &options_.sep_token, &options_.pad_token,
                                     &options_.cls_token, &options_.mask_token}) {
      size_t at = numbers_.count(*token) ? text.find(*token) : text.npos;
      if (at < first) first = at, special = token;
    }
    plain(text.substr(0, first));
    if (!special) return numbers;
    numbers.push_back(id(*special));
    text.remove_prefix(first + special->size());
  }
}

std::vector<std::string> WordPiece::tokenize(std::string_view text, Where where) const {
  std::vector<std::string> tokens;
  for (int64_t number : ids(text, where)) tokens.push_back(tokens_[static_cast<size_t>(number)]);
  return tokens;
}

WordPiece::Encoding WordPiece::encode(const std::vector<std::string> &words, int64_t max_length,
                                      Where where) const {
  if (max_length < 3)
    throw UserError(
        fmt::format("data::WordPiece: a max_length of {} has no room for a piece", max_length),
        where);
  Encoding encoding{.ids = {id(options_.cls_token)}};
  auto limit = static_cast<size_t>(max_length - 1);
  for (const std::string &word : words) {
    std::vector<int64_t> numbers = ids(word, where);
    bool fits = !numbers.empty() && encoding.ids.size() < limit;
    encoding.first_piece.push_back(fits ? static_cast<int64_t>(encoding.ids.size()) : -1);
    for (int64_t number : numbers) {
      if (encoding.ids.size() == limit)
        encoding.truncated = true;
      else
        encoding.ids.push_back(number);
    }
  }
  encoding.ids.push_back(id(options_.sep_token));
  return encoding;
}

} // namespace sinter::data
