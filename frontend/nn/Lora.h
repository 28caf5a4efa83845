#pragma once

#include "sinter/frontend/nn/Layers.h"

/// Low-rank adapters: Hu et al., 2021. Names, initial values and files are those of the library peft.
namespace sinter::nn {

struct LoraOptions {
  int64_t r = 0; // the rank; 0: no adapter
  double alpha = 8;
  double dropout = 0; // of the adapter's input, in training
  double scale() const { return r ? alpha / static_cast<double>(r) : 0; }
};

struct LoraLinearOptions {
  int64_t in_features = 0;
  int64_t out_features = 0;
  bool bias = true;
  std::optional<init::Init> init = {}; // of the weight, the bias then zeros; Linear's without it
  LoraOptions lora = {};
};
/// Linear, to whose result lora_B(lora_A(x)) alpha / r is added: weight [out, in], lora_A.weight [r, in], and
/// lora_B.weight [out, r], which starts as zeros.
class LoraLinear : public Module {
public:
  using Options = LoraLinearOptions;
  LoraLinear(Module *parent, std::string name, Options options, Where where = Where::current());
  Tensor forward(const Tensor &x, Where where = Where::current());
  Tensor operator()(const Tensor &x, Where where = Where::current()) { return forward(x, where); }

  Tensor weight, bias;
  const Options options;

private:
  struct Factor : Module {
    Factor(Module *parent, std::string name, Shape shape, init::Init init, Where where);
    Tensor weight;
  };
  std::optional<Factor> lora_A, lora_B;
};

/// Leaves adapters to be trained, and what begins with one of the names of `modules_to_save`; nothing else.
void freeze_base(Module &model, const std::vector<std::string> &modules_to_save = {});
/// Elements of the parameters that training changes, tied ones once.
int64_t num_trainable_parameters(const Module &model);

/// Writes adapter_model.safetensors and adapter_config.json into a folder, as peft reads them: adapters, and
/// what begins with one of the names of `modules_to_save`.
void save_adapter(const Module &model, const std::string &folder, const LoraOptions &lora,
                  const std::vector<std::string> &modules_to_save = {});
/// Reads what save_adapter or peft wrote. A rank or scale other than `lora`'s, adapters that the model or
/// the file lacks: a RuntimeError, and nothing is changed.
void load_adapter(Module &model, const std::string &folder, const LoraOptions &lora);

/// Values of all parameters and buffers by name, each adapter added to the weight beside it.
std::vector<std::pair<std::string, Array>> merged(const Module &model, const LoraOptions &lora);
/// Writes them, for the model without adapters.
void save_merged(const Module &model, const std::string &path, const LoraOptions &lora);

} // namespace sinter::nn
