// BERT's tokenizer against Hugging Face's, and what it says of mistakes.
#include "../frontend/FrontendTest.h"
#include "TokenizerCases.h"

using namespace sinter;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

const std::string folder = SINTER_TEST_SOURCE_DIR "/oracle/tokenizers";

std::vector<std::string> small() {
  return {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "a", "##b", "##c"};
}

} // namespace

TEST(WordPiece, IsHuggingFaces) {
  size_t cases = 0;
  auto differences =
      test::tokenizerDifferences(folder + "/vocab.txt", folder + "/wordpiece.json", cases);
  EXPECT_GE(cases, 700u);
  for (size_t i = 0; i < std::min<size_t>(differences.size(), 5); ++i)
    ADD_FAILURE() << differences[i];
  EXPECT_EQ(differences.size(), 0u);
}

TEST(WordPiece, EncodesWordsAndCutsThemOff) {
  data::WordPiece tokenizer(small(), {});
  // The unknown word is one piece, the control character none.
  auto whole = tokenizer.encode({"Unaffable", "xyz", "\x01", "abc"}, 32);
  EXPECT_THAT(whole.ids, ElementsAre(2, 4, 5, 6, 1, 7, 8, 9, 3));
  EXPECT_THAT(whole.first_piece, ElementsAre(1, 4, -1, 5));
  EXPECT_FALSE(whole.truncated);
  auto cut = tokenizer.encode({"Unaffable", "xyz", "\x01", "abc"}, 6);
  EXPECT_THAT(cut.ids, ElementsAre(2, 4, 5, 6, 1, 3));
  EXPECT_THAT(cut.first_piece, ElementsAre(1, 4, -1, -1));
  EXPECT_TRUE(cut.truncated);
  // A word may lose its end and keep its first piece.
  auto within = tokenizer.encode({"unaffable"}, 4);
  EXPECT_THAT(within.ids, ElementsAre(2, 4, 5, 3));
  EXPECT_THAT(within.first_piece, ElementsAre(1));
  EXPECT_TRUE(within.truncated);
  EXPECT_USER_ERROR(tokenizer.encode({"a"}, 2),
                    "data::WordPiece: a max_length of 2 has no room for a piece");
  EXPECT_USER_ERROR(tokenizer.ids("a\xff"), "data::WordPiece: the text is no UTF-8 at byte 1");
  EXPECT_USER_ERROR(tokenizer.ids("\xc0\x80"), "data::WordPiece: the text is no UTF-8 at byte 0");
  EXPECT_USER_ERROR(tokenizer.ids("ab\xed\xa0\x80"),
                    "data::WordPiece: the text is no UTF-8 at byte 2");
}

TEST(WordPiece, ReadsAFolder) {
  test::TemporaryFolder folder;
  std::ofstream(folder / "vocab.txt") << "[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\nA\r\na\r\n";
  EXPECT_THAT(data::WordPiece::from_folder(folder.text()).tokenize("A a"), ElementsAre("a", "a"));
  std::ofstream(folder / "tokenizer_config.json")
      << R"({"do_lower_case": false, "unk_token": {"content": "[UNK]"}, "strip_accents": null})";
  auto cased = data::WordPiece::from_folder(folder.text());
  EXPECT_THAT(cased.tokenize("A a \xc3\xa1"), ElementsAre("A", "a", "[UNK]"));
  test::TemporaryFolder again;
  std::filesystem::create_directories(again / "saved");
  cased.save(again / "saved");
  auto read = data::WordPiece::from_folder(again / "saved");
  EXPECT_EQ(read.vocabulary(), cased.vocabulary());
  EXPECT_FALSE(read.options().do_lower_case);
  std::ofstream(folder / "tokenizer_config.json") << R"({"do_lower_case": "no"})";
  EXPECT_RUNTIME_ERROR(data::WordPiece::from_folder(folder.text()),
                       HasSubstr("tokenizer_config.json: do_lower_case is no boolean"));
  std::ofstream(folder / "tokenizer_config.json") << "{";
  EXPECT_RUNTIME_ERROR(data::WordPiece::from_folder(folder.text()), HasSubstr("no JSON object"));
}

TEST(WordPiece, SaysWhatAVocabularyLacks) {
  test::TemporaryFolder folder;
  std::string path = folder / "vocab.txt";
  std::ofstream(path) << "[PAD]\n[CLS]\n[SEP]\na\n";
  EXPECT_RUNTIME_ERROR(data::WordPiece{path}, path + ": the vocabulary lacks [UNK]");
  std::ofstream(path) << "[PAD]\n[UNK]\n[CLS]\n";
  EXPECT_RUNTIME_ERROR(data::WordPiece{path}, path + ": the vocabulary lacks [SEP]");
  std::ofstream(path) << "[PAD]\n\xff\n";
  EXPECT_RUNTIME_ERROR(data::WordPiece{path}, path + ": line 2: no UTF-8 at byte 1");
  EXPECT_RUNTIME_ERROR(data::WordPiece{folder / "none"}, HasSubstr("none: no such file"));
}
