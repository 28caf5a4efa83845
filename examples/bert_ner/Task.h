#pragma once

#include <sinter/sinter.h>

namespace examples {

struct TaggedData {
  std::vector<sinter::data::TaggedSentence> train, valid, test;
  std::string trainName, validName, testName; // for errors
};

/// A CoNLL file, of which a tenth each is kept apart to validate and to test after a shuffle by `seed`; or a folder with
/// train, valid (or dev, testa) and test (or testb), each .txt or .conll.
TaggedData readTagged(const std::string &path, uint64_t seed);

/// Sentences about people, places and firms with names of one to three words, some of which are places or people by
/// the words around them alone.
TaggedData madeUpTagged(uint64_t seed);

/// A vocabulary for sentences without one: special tokens, letters as beginnings and as continuations, and words that
/// occur twice.
std::vector<std::string> vocabularyOf(const std::vector<sinter::data::TaggedSentence> &sentences);

} // namespace examples
