#include "Task.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>

namespace examples {

using sinter::data::TaggedSentence;
using Sentences = std::vector<TaggedSentence>;

static std::string fileOf(const std::string &folder, const std::vector<std::string> &names) {
  for (const std::string &name : names)
    for (const char *suffix : {".txt", ".conll", ".txt.gz", ".conll.gz", ""}) {
      std::string path = folder + "/" + name + suffix;
      if (std::filesystem::is_regular_file(path)) return path;
    }
  throw std::runtime_error(fmt::format("{}: no {}.txt or {}.conll", folder, names[0], names[0]));
}

TaggedData readTagged(const std::string &path, uint64_t seed) {
  TaggedData data;
  if (std::filesystem::is_directory(path)) {
    data.trainName = fileOf(path, {"train"});
    data.validName = fileOf(path, {"valid", "dev", "testa"});
    data.testName = fileOf(path, {"test", "testb"});
    data.train = sinter::data::read_conll(data.trainName);
    data.valid = sinter::data::read_conll(data.validName);
    data.test = sinter::data::read_conll(data.testName);
    return data;
  }
  data.trainName = data.validName = data.testName = path;
  Sentences all = sinter::data::read_conll(path);
  if (all.size() < 10)
    throw std::runtime_error(
        fmt::format("{}: {} sentences, at least 10 are needed", path, all.size()));
  std::shuffle(all.begin(), all.end(), std::mt19937_64(seed));
  size_t tenth = all.size() / 10;
  for (size_t i = 0; i < all.size(); ++i)
    (i < tenth ? data.test : i < 2 * tenth ? data.valid : data.train).push_back(std::move(all[i]));
  return data;
}

namespace {

class Writer {
public:
  explicit Writer(uint64_t seed) : random(seed) {}

  TaggedSentence sentence() {
    made = {};
    // Each word of a name may be a person's, a place's or a firm's: what stands before it decides.
    static const std::vector<std::string> forms{
        "mr PER met mrs PER in LOC .",    "ORG hired dr PER .",   "the train to LOC left .",
        "from LOC she wrote to mr PER .", "ORG and ORG merged .", "we saw nothing there .",
        "shares of ORG rose in LOC .",    "dr PER left ORG ."};
    std::istringstream words(pick(forms));
    for (std::string word; words >> word;)
      if (word == "PER" || word == "LOC" || word == "ORG")
        name(word);
      else
        add(word, "O");
    return made;
  }

private:
  const std::string &pick(const std::vector<std::string> &from) {
    return from[random() % from.size()];
  }
  void add(const std::string &word, const std::string &tag) {
    made.words.push_back(word);
    made.tags.push_back(tag);
  }
  void name(const std::string &type) {
    static const std::vector<std::string> common{"Florence", "Sydney",  "Ford",   "Chester",
                                                 "Jordan",   "Lincoln", "Wells",  "Austin",
                                                 "Morgan",   "Paris",   "Orange", "Warner"};
    static const std::vector<std::string> starts{"Bel", "Kor", "Man", "Tir", "Vos", "Zan"},
        ends{"dan", "fel", "gor", "lim", "rath", "wyn"};
    size_t length = 1 + random() % 2;
    for (size_t i = 0; i < length; ++i) {
      std::string word = random() % 3 ? pick(common) : pick(starts) + pick(ends);
      add(word, (i ? "I-" : "B-") + type);
    }
    if (type == "ORG" && random() % 2) add("Inc", "I-ORG");
  }

  std::mt19937_64 random;
  TaggedSentence made;
};

} // namespace

TaggedData madeUpTagged(uint64_t seed) {
  TaggedData data;
  data.trainName = data.validName = data.testName = "the generated data";
  Writer writer(seed + 1);
  for (auto [part, count] : {std::pair{&data.train, 800}, {&data.valid, 100}, {&data.test, 200}})
    for (int i = 0; i < count; ++i) part->push_back(writer.sentence());
  return data;
}

std::vector<std::string> vocabularyOf(const Sentences &sentences) {
  std::vector<std::string> tokens{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  std::map<std::string, int64_t> words;
  std::set<std::string> letters;
  for (const TaggedSentence &sentence : sentences)
    for (const std::string &word : sentence.words) {
      ++words[word];
      for (size_t at = 0; at < word.size();) { // of UTF-8, which the reader has checked
        size_t end = at + 1;
        while (end < word.size() && (static_cast<unsigned char>(word[end]) & 0xc0) == 0x80) ++end;
        letters.insert(word.substr(at, end - at));
        at = end;
      }
    }
  for (const std::string &letter : letters) tokens.push_back(letter);
  for (const std::string &letter : letters) tokens.push_back("##" + letter);
  for (const auto &[word, count] : words)
    if (count > 1 && !letters.count(word)) tokens.push_back(word);
  return tokens;
}

} // namespace examples
