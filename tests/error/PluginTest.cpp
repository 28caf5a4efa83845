// Plug-ins that cannot be used: what the user reads, and that compiling goes on afterwards.
#include "../unit/frontend/FrontendTest.h"

using namespace sinter;
using namespace testing;

namespace {

Traced doubled() {
  return trace([](Tensor x) { return x * 2; }, {{{2}, f32}});
}

std::string messageOf(const CompileOptions &options) {
  try {
    compile(doubled(), options);
  } catch (const Error &error) { return error.what(); }
  return "no error";
}

std::string withPlugin(const std::string &path) {
  return messageOf({.device = Device::cpu(), .plugins = {path}});
}

TEST(PassPlugin, OnesThatCannotBeLoaded) {
  test::TemporaryFolder folder;
  std::string none = folder / "none.so", text = folder / "text.so";
  std::ofstream(text) << "not a library\n";
  EXPECT_EQ(withPlugin(none), "the pass plug-in " + none + " cannot be loaded: no such file");
  EXPECT_EQ(withPlugin(text), "the pass plug-in " + text + " cannot be loaded: file too short");
  std::ofstream(text) << std::string(1 << 16, 'x');
  EXPECT_EQ(withPlugin(text), "the pass plug-in " + text + " cannot be loaded: invalid ELF header");
}

TEST(PassPlugin, LibrariesThatAreNoPlugins) {
  std::string folder = PLUGIN_FOLDER, start = "the pass plug-in " + folder;
  EXPECT_EQ(withPlugin(folder + "/plugin_without_entry.so"),
            start +
                "/plugin_without_entry.so cannot be loaded: it is a library without the function "
                "mlirGetPassPluginInfo, by which a plug-in says what it brings");
  EXPECT_EQ(withPlugin(folder + "/plugin_of_another_version.so"),
            start +
                "/plugin_of_another_version.so cannot be loaded: it was built for version 99 of "
                "MLIR's plug-in interface, Sinter for version 1");
  EXPECT_EQ(withPlugin(folder + "/plugin_without_passes.so"),
            start + "/plugin_without_passes.so cannot be loaded: it registers no passes");
}

TEST(PassPlugin, PassesAndPlacesThatAreUnknown) {
  EXPECT_THAT(
      messageOf({.device = Device::cpu(), .passes = {{"after-fusion", "func.func(no-such-pass)"}}}),
      AllOf(HasSubstr("cannot insert 'func.func(no-such-pass)' at 'after-fusion'"),
            HasSubstr("'no-such-pass' does not refer to a registered pass")));
  EXPECT_THAT(messageOf({.device = Device::cpu(), .passes = {{"after-lunch", "cse"}}}),
              AllOf(HasSubstr("cannot insert 'cse' at 'after-lunch': the pipeline has the places"),
                    HasSubstr("before-fusion, after-fusion")));
  // Spelled with or without the module around it.
  for (const char *pipeline : {"func.func(cse)", "builtin.module(func.func(cse))", "cse"})
    EXPECT_EQ(messageOf({.device = Device::cpu(), .passes = {{"before-fusion", pipeline}}}),
              "no error");
}

TEST(PassPlugin, OfTheEnvironment) {
  std::string none = "/nowhere/plugin.so";
  setenv("SINTER_PASS_PLUGINS", none.c_str(), 1);
  EXPECT_EQ(messageOf({.device = Device::cpu()}),
            "the pass plug-in " + none + " cannot be loaded: no such file");
  unsetenv("SINTER_PASS_PLUGINS");
  auto run = compile(doubled(), {.device = Device::cpu()}); // nothing of the failures stays behind
  EXPECT_EQ(run(Array({1.f, 2.f}))[0].text(), "[2, 4]");
}

} // namespace
