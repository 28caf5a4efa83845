// Compares data::WordPiece with what Hugging Face's tokenizer made of texts:
//   tokenizer_check VOCABULARY CASES.json
#include "TokenizerCases.h"

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  size_t cases = 0;
  auto differences = sinter::test::tokenizerDifferences(argv[1], argv[2], cases);
  for (const std::string &difference : differences) fmt::print("{}\n", difference);
  fmt::print("{} cases, {} differences\n", cases, differences.size());
  return !differences.empty() || cases == 0;
}
