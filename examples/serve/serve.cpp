// A server over standard input: a line of numbers is a sample, the answer a line of outputs. It links the runtime
// alone: no compiler is there when it runs.
//
//   serve PROGRAM [CHECKPOINT]
#include "Predictor.h"

#include <sinter/runtime/File.h>

#include <cstdio>
#include <iostream>
#include <sstream>

/// The numbers of a line, apart by blanks or commas; what is none of them is an error.
static std::vector<float> numbersOf(std::string line) {
  for (char &c : line)
    if (c == ',') c = ' ';
  std::istringstream words(line);
  std::vector<float> numbers;
  for (std::string word; words >> word;) {
    char *end = nullptr;
    numbers.push_back(std::strtof(word.c_str(), &end));
    if (*end) throw std::runtime_error("'" + word + "' is no number");
  }
  return numbers;
}

int main(int argc, char **argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: serve PROGRAM [CHECKPOINT]\n");
    return 2;
  }
  try {
    auto program = std::make_shared<const serve::runtime::Program>(
        serve::check(serve::runtime::loadProgram(argv[1])));
    std::optional<serve::runtime::MappedFile> weights;
    if (argc == 3) weights = serve::check(serve::runtime::MappedFile::open(argv[2]));
    serve::Predictor predict(program, weights ? weights->bytes() : std::span<const uint8_t>());
    std::string line;
    for (int number = 1; std::getline(std::cin, line); ++number) {
      try {
        std::vector<float> sample = numbersOf(line);
        if (sample.size() != predict.inputSize())
          throw std::runtime_error(std::to_string(sample.size()) + " numbers, expected " +
                                   std::to_string(predict.inputSize()));
        std::string answer;
        for (float value : predict(sample)) {
          char text[32];
          std::snprintf(text, sizeof text, "%s%.9g", answer.empty() ? "" : " ",
                        static_cast<double>(value));
          answer += text;
        }
        std::printf("%s\n", answer.c_str());
      } catch (const std::exception &error) {
        std::printf("error: line %d: %s\n", number, error.what());
      }
      std::fflush(stdout);
    }
  } catch (const std::exception &error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
  return 0;
}
