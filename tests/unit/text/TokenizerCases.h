#pragma once

#include <sinter/sinter.h>

#include <nlohmann/json.hpp>

#include <fstream>

namespace sinter::test {

/// Runs the cases of a file that tests/oracle/make_tokenizer_vectors.py made; what differs, a line each.
inline std::vector<std::string> tokenizerDifferences(const std::string &vocabulary,
                                                     const std::string &path, size_t &cases) {
  std::ifstream file(path);
  auto vectors = nlohmann::json::parse(file);
  std::vector<data::WordPiece> tokenizers;
  for (const auto &settings : vectors.at("settings")) {
    data::WordPieceOptions options{.do_lower_case = settings.at("lowercase"),
                                   .tokenize_chinese_chars = settings.at("handle_chinese_chars")};
    if (!settings.at("strip_accents").is_null())
      options.strip_accents = settings.at("strip_accents");
    tokenizers.emplace_back(vocabulary, options);
  }
  std::vector<std::string> differences;
  cases = vectors.at("cases").size();
  for (const auto &one : vectors.at("cases")) {
    const data::WordPiece &tokenizer = tokenizers.at(one.at("settings"));
    std::string text = one.at("text");
    nlohmann::json words = tokenizer.words(text), tokens = tokenizer.tokenize(text);
    for (auto [what, made] : {std::pair{"words", &words}, {"tokens", &tokens}})
      if (*made != one.at(what))
        differences.push_back(fmt::format("settings {}, text {}: {} are {}, Hugging Face's {}",
                                          one.at("settings").dump(), one.at("text").dump(), what,
                                          made->dump(), one.at(what).dump()));
  }
  return differences;
}

} // namespace sinter::test
