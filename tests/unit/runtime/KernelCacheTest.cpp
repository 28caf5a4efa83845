#include "sinter/runtime/KernelCache.h"
#include "RuntimeTest.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sinter::runtime {
namespace {

using testing::TemporaryFolder;

const std::vector<uint8_t> payload{1, 2, 3, 4, 5, 6, 7, 8};

class KernelCacheTest : public ::testing::Test {
protected:
  KernelCache make(int64_t maxBytes = 1 << 20) {
    return KernelCache({folder.path("cache"), maxBytes,
                        [this](const std::string &message) { warnings.push_back(message); },
                        [this](const std::string &message) { explained.push_back(message); }});
  }
  TemporaryFolder folder;
  std::vector<std::string> warnings, explained;
};

TEST_F(KernelCacheTest, KeepsWhatWasStored) {
  std::string key("sm_90\0text", 10);
  {
    KernelCache cache = make();
    EXPECT_EQ(cache.find(key), std::nullopt);
    cache.store(key, payload);
  }
  KernelCache cache = make();
  EXPECT_EQ(cache.find(key), payload);
  EXPECT_EQ(cache.find("sm_90"), std::nullopt);
  cache.store(key, {});
  EXPECT_EQ(cache.find(key), std::vector<uint8_t>{});
  EXPECT_TRUE(warnings.empty());
}

CacheKey keyFor(const std::string &isa, const std::string &text) {
  return CacheKey("cpu").add("isa", isa).add("l2", "1048576").add("text", text);
}

TEST_F(KernelCacheTest, AKeyIsReadBackFromItsBytes) {
  CacheKey key = keyFor("avx2", std::string("a:3:\nb\0c", 8));
  auto again = CacheKey::parse(key.bytes());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->bytes(), key.bytes());
  EXPECT_EQ(again->differences(key), "");
  EXPECT_EQ(again->distance(key), 0u);
  std::string bytes = key.bytes();
  for (size_t cut = 1; cut < 8; ++cut)
    EXPECT_FALSE(CacheKey::parse(std::string_view(bytes).substr(0, bytes.size() - cut))) << cut;
  for (const char *text :
       {"", "cpu", "a:b:c", "a:1", "a:1:", "a:1:x", "a:-1:x\n", "a:99999999999999999999:x\n"})
    EXPECT_FALSE(CacheKey::parse(text)) << text;
}

TEST_F(KernelCacheTest, AMissSaysWhichPartIsAnother) {
  KernelCache cache = make();
  std::string dir = cache.dir(), conv = "conv " + std::string(200, 'c');
  EXPECT_EQ(cache.find(keyFor("avx2", conv), "conv2d_0"), std::nullopt);
  cache.store(keyFor("avx2", conv).bytes(), payload);
  cache.store(keyFor("avx2", "add").bytes(), payload);
  EXPECT_EQ(cache.find(keyFor("avx2", conv), "conv2d_0"), payload);
  EXPECT_EQ(cache.find(keyFor("avx512", conv), "conv2d_0"), std::nullopt);
  EXPECT_EQ(cache.find(keyFor("avx512", "mul"), "mul_0"), std::nullopt);
  EXPECT_EQ(cache.find(keyFor("avx2", "x" + conv), "conv2d_1"), std::nullopt);
  EXPECT_EQ(explained,
            (std::vector<std::string>{
                "conv2d_0 is compiled: '" + dir + "' has no kernels yet",
                "conv2d_0 is compiled: isa was 'avx2', is 'avx512'",
                "mul_0 is compiled: isa was 'avx2', is 'avx512'; text was 'add', is 'mul'",
                "conv2d_1 is compiled: text is another"}));
  EXPECT_TRUE(warnings.empty());
}

TEST_F(KernelCacheTest, TheKeyIsComparedNotItsHash) {
  KernelCache cache = make();
  cache.store("one", payload);
  std::filesystem::rename(cache.pathOf("one"), cache.pathOf("two")); // as if the hashes were equal
  EXPECT_EQ(cache.find("two"), std::nullopt);
  EXPECT_TRUE(warnings.empty());
}

TEST_F(KernelCacheTest, ForeignCodeIsPartOfEveryKey) {
  std::string library = folder.path("plugin.so"), without = keyFor("avx2", "add").bytes();
  testing::writeAll(library, payload);
  CacheKey::addForeignCode(library);
  std::string with = keyFor("avx2", "add").bytes();
  EXPECT_NE(with, without);
  CacheKey::addForeignCode(library); // again: the same code
  EXPECT_EQ(keyFor("avx2", "add").bytes(), with);
  testing::writeAll(library, {9, 9});
  CacheKey::addForeignCode(library);
  EXPECT_NE(keyFor("avx2", "add").bytes(), with);
}

TEST_F(KernelCacheTest, ADamagedEntryIsAMissWithOneWarning) {
  KernelCache cache = make();
  for (size_t at : {0u, 9u, 17u, 25u, 29u, 33u}) {
    cache.store("key", payload);
    std::vector<uint8_t> bytes = testing::readAll(cache.pathOf("key"));
    bytes.at(at) ^= 1;
    testing::writeAll(cache.pathOf("key"), bytes);
    EXPECT_EQ(cache.find("key"), std::nullopt) << at;
    bytes.resize(at);
    testing::writeAll(cache.pathOf("key"), bytes);
    EXPECT_EQ(cache.find("key"), std::nullopt) << at;
  }
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_EQ(warnings[0], "the kernel cache's entry '" + cache.pathOf("key") +
                             "' is damaged; it is compiled anew");
  cache.store("key", payload);
  EXPECT_EQ(cache.find("key"), payload);
}

TEST_F(KernelCacheTest, DropsTheLeastRecentlyUsed) {
  std::vector<uint8_t> big(1000);
  KernelCache cache = make(3500);
  for (const char *key : {"a", "b", "c"}) {
    cache.store(key, big);
    // Half a minute apart, oldest first.
    timespec times[2] = {{0, UTIME_OMIT}, {time(nullptr) - 100 + 30 * (key[0] - 'a'), 0}};
    utimensat(AT_FDCWD, cache.pathOf(key).c_str(), times, 0);
  }
  EXPECT_TRUE(cache.find("a").has_value()); // now the youngest
  cache.store("d", big);
  EXPECT_TRUE(cache.find("a").has_value());
  EXPECT_FALSE(cache.find("b").has_value());
  EXPECT_TRUE(cache.find("d").has_value());
}

TEST_F(KernelCacheTest, AnUnwritableFolderIsOneWarning) {
  testing::writeAll(folder.path("cache"), {1}); // a file where the folder should be
  KernelCache cache = make();
  cache.store("a", payload);
  cache.store("b", payload);
  EXPECT_EQ(cache.find("a"), std::nullopt);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_THAT(warnings[0], ::testing::HasSubstr("kernels are not kept on disk: cannot write"));
}

TEST_F(KernelCacheTest, OffKeepsNothing) {
  KernelCache cache({});
  EXPECT_FALSE(cache.enabled());
  cache.store("a", payload);
  EXPECT_EQ(cache.find("a"), std::nullopt);
}

} // namespace
} // namespace sinter::runtime
