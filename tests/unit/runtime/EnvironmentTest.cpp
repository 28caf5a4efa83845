#include "sinter/runtime/Environment.h"
#include "RuntimeTest.h"

namespace sinter::runtime {
namespace {

using testing::ScopedVariable;

TEST(Environment, EveryVariableIsDescribed) {
  for (const environment::Variable &variable : environment::variables()) {
    EXPECT_TRUE(std::string_view(variable.name).starts_with("SINTER_"));
    EXPECT_TRUE(std::string_view(variable.help).ends_with("."));
  }
  EXPECT_EQ(environment::variables().size(), 12u);
}

TEST(Environment, NumThreads) {
  {
    ScopedVariable unset("SINTER_NUM_THREADS", nullptr);
    EXPECT_EQ(*environment::numThreads(), 0);
  }
  {
    ScopedVariable set("SINTER_NUM_THREADS", "3");
    EXPECT_EQ(*environment::numThreads(), 3);
  }
  for (const char *bad : {"0", "-1", "1025", "four", "4x", "99999999999999999999"}) {
    ScopedVariable set("SINTER_NUM_THREADS", bad);
    EXPECT_ERROR(environment::numThreads(), invalidArgument,
                 std::string("SINTER_NUM_THREADS is '") + bad +
                     "': expected a whole number from 1 to 1024");
  }
}

TEST(Environment, CpuIsa) {
  {
    ScopedVariable set("SINTER_CPU_ISA", "avx2");
    EXPECT_EQ(*environment::cpuIsa(), "avx2");
  }
  ScopedVariable set("SINTER_CPU_ISA", "sse2");
  EXPECT_ERROR(environment::cpuIsa(), invalidArgument,
               "SINTER_CPU_ISA is 'sse2': expected amx, avx512_bf16, avx512, avx2 or generic");
}

TEST(Environment, CacheFolder) {
  ScopedVariable home("HOME", "/home/ada"), base("XDG_CACHE_HOME", nullptr),
      own("SINTER_CACHE_DIR", nullptr);
  EXPECT_EQ(environment::cacheDir(), "/home/ada/.cache/sinter");
  ScopedVariable xdg("XDG_CACHE_HOME", "/var/cache");
  EXPECT_EQ(environment::cacheDir(), "/var/cache/sinter");
  ScopedVariable direct("SINTER_CACHE_DIR", "/kernels");
  EXPECT_EQ(environment::cacheDir(), "/kernels");
}

TEST(Environment, CacheSize) {
  {
    ScopedVariable set("SINTER_CACHE_SIZE", nullptr);
    EXPECT_EQ(*environment::cacheSize(), 1 << 30);
  }
  {
    ScopedVariable set("SINTER_CACHE_SIZE", "512M");
    EXPECT_EQ(*environment::cacheSize(), 512 << 20);
  }
  {
    ScopedVariable set("SINTER_CACHE_SIZE", "1000");
    EXPECT_EQ(*environment::cacheSize(), 1000);
  }
  for (const char *bad : {"G", "-1", "2T", "9999999999G"}) {
    ScopedVariable set("SINTER_CACHE_SIZE", bad);
    EXPECT_ERROR(environment::cacheSize(), invalidArgument, "expected a number of bytes");
  }
  ScopedVariable off("SINTER_CACHE", "no");
  EXPECT_ERROR(environment::cacheEnabled(), invalidArgument,
               "SINTER_CACHE is 'no': expected 0 or 1");
}

TEST(Environment, Log) {
  EXPECT_FALSE(*environment::logs("cache"));
  ScopedVariable both("SINTER_LOG", "recompiles, cache");
  EXPECT_TRUE(*environment::logs("cache"));
  EXPECT_TRUE(*environment::logs("recompiles"));
  ScopedVariable one("SINTER_LOG", "recompiles");
  EXPECT_FALSE(*environment::logs("cache"));
  ScopedVariable wrong("SINTER_LOG", "recompiles,kernels");
  EXPECT_EQ(environment::logs("cache").error().message,
            "SINTER_LOG is 'recompiles,kernels': expected recompiles, cache or both with a comma");
}

TEST(Environment, PassPlugins) {
  ScopedVariable set("SINTER_PASS_PLUGINS", "/a.so::/b.so:");
  EXPECT_THAT(environment::passPlugins(), ::testing::ElementsAre("/a.so", "/b.so"));
}

} // namespace
} // namespace sinter::runtime
