#include "Options.h"

#include <CLI/CLI.hpp>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <type_traits>
#include <unistd.h>

namespace examples {

/// CLI11's own range checks answer with the largest double.
static CLI::Validator atLeast(int least) {
  return {[least](const std::string &text) -> std::string {
            double value = 0;
            bool below = CLI::detail::lexical_cast(text, value) && value < least;
            return below ? fmt::format("{} is less than {}", text, least) : "";
          },
          fmt::format(">={}", least)};
}

/// A result that cannot be written should be known before the training, not after it.
static CLI::Validator writable() {
  return {[](const std::string &text) -> std::string {
            std::filesystem::path path(text), folder = path.parent_path();
            if (folder.empty()) folder = ".";
            std::error_code code;
            if (!std::filesystem::is_directory(folder, code))
              return fmt::format("{} cannot be written: no folder {}", text, folder.string());
            if (std::filesystem::is_directory(path, code))
              return fmt::format("{} cannot be written: it is a folder", text);
            if (access(folder.c_str(), W_OK) != 0)
              return fmt::format("{} cannot be written: {}", text, std::strerror(errno));
            return {};
          },
          "FILE"};
}

Options parse(int argc, char **argv, const std::string &description, Options o,
              const std::vector<Extra> &extras) {
  CLI::App app(description);
  app.get_formatter()->column_width(34);
  app.option_defaults()->always_capture_default();
  app.add_option("--device", o.device, "where to run")
      ->check(CLI::IsMember({"auto", "cpu", "cuda", "cuda-emulated", "reference"}));
  app.add_option("--precision", o.precision, "of matrix products and convolutions")
      ->check(CLI::IsMember({"f32", "bf16", "f16"}));
  app.add_option("--numerics", o.numerics, "strict: the same bits whatever is fused")
      ->check(CLI::IsMember({"default", "strict"}));
  app.add_option("--epochs", o.epochs, "times over the data")->check(atLeast(0));
  app.add_option("--steps", o.steps, "train this many steps only (0: all)")->check(atLeast(0));
  app.add_option("--batch-size", o.batch_size, "samples a step")->check(atLeast(1));
  app.add_option("--lr", o.lr, "learning rate")->check(CLI::PositiveNumber);
  app.add_option("--seed", o.seed, "of initial values, shuffling and dropout");
  app.add_option("--threads", o.threads, "of the CPU (0: all)")->check(atLeast(0));
  app.add_option("--memory-budget", o.memory_budget,
                 "most MiB of working memory of a step (0: any)")
      ->check(atLeast(0));
  app.add_option("--log-every", o.log_every, "steps between lines (0: none)")->check(atLeast(0));
  app.add_option("--data", o.data, "folder or file with the data");
  app.add_option("--save", o.save, "write a checkpoint (safetensors) at the end")
      ->check(writable());
  app.add_option("--load", o.load, "start from a checkpoint");
  app.add_option("--save-program", o.save_program, "write the program, for sinter-run")
      ->check(writable());
  app.add_option("--dump", o.dump,
                 "write IR, kernels, ledger, plan and report.html into this folder");
  app.add_option(
         "--profile", o.profile,
         "time each kernel of the step at the end: a table, and a Chrome trace in this file")
      ->check(writable());
  app.add_flag("--summary", o.summary, "say what the step consists of at the end");
  app.add_option("--json", o.json, "write a record of the run into this file")->check(writable());
  for (const Extra &extra : extras)
    std::visit(
        [&](auto *value) {
          if constexpr (std::is_same_v<decltype(value), bool *>)
            app.add_flag(extra.name, *value, extra.help);
          else if constexpr (std::is_same_v<decltype(value), std::string *>)
            app.add_option(extra.name, *value, extra.help);
          else
            app.add_option(extra.name, *value, extra.help)->check(atLeast(extra.least));
        },
        extra.value);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) { std::exit(app.exit(error)); }
  for (const CLI::Option *option : app.get_options())
    if (option->count()) o.given.insert(option->get_name());
  return o;
}

sinter::TrainerOptions Options::trainer() const {
  return {.device = sinter::Device::named(device, threads),
          .precision = sinter::precisionNamed(precision),
          .seed = seed,
          .dump_dir = dump,
          .memory_budget = static_cast<int64_t>(memory_budget * (1 << 20)),
          .numerics = numerics == "strict" ? sinter::Numerics::strict : sinter::Numerics::standard};
}

int guarded(const std::function<int()> &main) {
  try {
    return main();
  } catch (const std::exception &error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}

} // namespace examples
