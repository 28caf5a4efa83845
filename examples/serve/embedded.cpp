// A program and its weights inside of an executable, used from several threads. It links the runtime alone.
//
//   embedded < SAMPLES: a line of numbers is a sample; prints the index of the largest output, line by line
#include "Predictor.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <thread>

// The files' bytes, put here by the assembler.
#define EMBED(name, file)                                                                          \
  __asm__(".section .rodata\n.balign 64\n.globl " #name "\n" #name ":\n.incbin \"" file            \
          "\"\n.globl " #name "_end\n" #name "_end:\n.byte 0\n.previous\n");                       \
  extern "C" const uint8_t name[], name##_end[];
EMBED(embedded_program, SINTER_EMBEDDED_PROGRAM)
EMBED(embedded_weights, SINTER_EMBEDDED_WEIGHTS)

int main() {
  try {
    auto program = std::make_shared<const serve::runtime::Program>(
        serve::check(serve::runtime::deserialize({embedded_program, embedded_program_end})));
    std::span<const uint8_t> weights(embedded_weights, embedded_weights_end);
    std::vector<std::vector<float>> samples;
    for (std::string line; std::getline(std::cin, line);) {
      std::istringstream words(line);
      samples.emplace_back();
      for (float value; words >> value;) samples.back().push_back(value);
    }

    constexpr size_t threads = 4;
    std::vector<size_t> answers(samples.size());
    std::atomic<size_t> next = 0;
    std::vector<std::string> errors(threads);
    std::vector<std::thread> team;
    for (size_t thread = 0; thread < threads; ++thread)
      team.emplace_back([&, thread] {
        try {
          serve::Predictor predict(program, weights);
          for (size_t i = next++; i < samples.size(); i = next++) {
            if (samples[i].size() != predict.inputSize())
              throw std::runtime_error("sample " + std::to_string(i) + " has " +
                                       std::to_string(samples[i].size()) + " numbers");
            std::vector<float> outputs = predict(samples[i]);
            answers[i] = static_cast<size_t>(std::max_element(outputs.begin(), outputs.end()) -
                                             outputs.begin());
          }
        } catch (const std::exception &error) { errors[thread] = error.what(); }
      });
    for (std::thread &thread : team) thread.join();
    for (const std::string &error : errors)
      if (!error.empty()) throw std::runtime_error(error);
    for (size_t answer : answers) std::printf("%zu\n", answer);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
  return 0;
}
