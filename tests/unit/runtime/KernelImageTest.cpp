#include "sinter/runtime/cpu/KernelImage.h"
#include "Programs.h"
#include "sinter/runtime/Executor.h"

namespace sinter::runtime {
namespace {

using namespace testing;

/// Compiles C to the bytes of a shared object; empty when there is no compiler.
std::vector<uint8_t> compile(const std::string &source) {
  TemporaryFolder folder;
  writeAll(folder.path("k.c"), {source.begin(), source.end()});
  std::string command = "cc -shared -fPIC -O1 -nostdlib -o " + folder.path("k.so") + " " +
                        folder.path("k.c") + " 2>/dev/null";
  return std::system(command.c_str()) == 0 ? readAll(folder.path("k.so")) : std::vector<uint8_t>();
}
std::string kernels(const char *factor) {
  return std::string("void scale(void *const *b, const long *s, long begin, long end) {"
                     "  const float *in = b[0]; float *out = b[1];"
                     "  for (long i = begin; i < end; ++i) out[i] = in[i] * ") +
         factor +
         "; }"
         "void add(void *const *b, const long *s, long begin, long end) {"
         "  const float *x = b[0], *y = b[1]; float *out = b[2];"
         "  for (long i = begin; i < end; ++i) out[i] = x[i] + y[i]; }";
}

float runOnce(const Program &program) {
  auto executor = Executor::create(std::make_shared<const Program>(program), cpuDevice());
  EXPECT_OK(executor);
  if (!executor.ok()) return -1;
  Floats x(1), y;
  const void *inputs[] = {x.address()};
  void *outputs[] = {y.address()};
  EXPECT_OK((*executor)->run(0, inputs, outputs));
  return y[99];
}

class KernelImageTest : public ::testing::Test {
protected:
  void SetUp() override {
    generic = compile(kernels("2"));
    if (generic.empty()) GTEST_SKIP() << "no C compiler (package gcc)";
    program = stepProgram();
    for (Kernel &kernel : program.kernels) kernel.function = nullptr;
    program.cpuImages["generic"] = generic;
  }
  std::vector<uint8_t> generic;
  Program program;
};

TEST_F(KernelImageTest, ASavedProgramRuns) {
  TemporaryFolder folder;
  ASSERT_OK(saveProgram(program, folder.path("p")));
  auto loaded = loadProgram(folder.path("p"));
  ASSERT_OK(loaded);
  EXPECT_EQ(runOnce(*loaded), 3.0f);
}

TEST_F(KernelImageTest, TwoImagesOfOneSymbolLiveBesideEachOther) {
  Program other = program;
  other.cpuImages["generic"] = compile(kernels("4"));
  auto first = *KernelImage::load(program.cpuImages);
  EXPECT_EQ(runOnce(other), 5.0f);
  EXPECT_EQ(runOnce(program), 3.0f);
  for (int i = 0; i < 5; ++i) { // descriptors are used again, libraries must not be mixed up
    EXPECT_EQ(runOnce(other), 5.0f);
    EXPECT_EQ(runOnce(program), 3.0f);
  }
}

TEST_F(KernelImageTest, TheBestInstructionSetWins) {
  std::string best(bestHostIsa());
  if (best == "generic") GTEST_SKIP() << "this machine has neither AVX2 nor AVX-512";
  program.cpuImages[best] = compile(kernels("4"));
  EXPECT_EQ(runOnce(program), 5.0f);
  ScopedVariable set("SINTER_CPU_ISA", "generic");
  EXPECT_EQ(runOnce(program), 3.0f);
}

TEST_F(KernelImageTest, Refusals) {
  EXPECT_ERROR((*KernelImage::load(program.cpuImages))->find("mul"), corrupt,
               "the program's generic kernels lack the symbol 'mul'");
  EXPECT_ERROR(KernelImage::load({{"generic", {1, 2, 3}}}), ioFailure,
               "cannot load the program's generic kernels: dlopen");
  EXPECT_ERROR(KernelImage::load({{"sve", generic}}), unsupported,
               "the program has kernels for sve, this machine runs");
  if (!hostRuns("amx")) {
    EXPECT_ERROR(KernelImage::load({{"amx", generic}}), unsupported,
                 "the program has kernels for amx, this machine runs");
  }
  if (!hostRuns("avx2")) GTEST_SKIP() << "this machine has no AVX2";
  ScopedVariable set("SINTER_CPU_ISA", "avx2");
  EXPECT_ERROR(KernelImage::load(program.cpuImages), notFound,
               "SINTER_CPU_ISA asks for avx2, but the program has kernels for generic only");
}

} // namespace
} // namespace sinter::runtime
