#include "HuggingFace.h"

#include <sinter/runtime/Safetensors.h>

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace examples {

using nlohmann::ordered_json;

BertConfig readBertConfig(const std::string &folder) {
  std::string path = folder + "/config.json";
  auto fail = [&](const std::string &what) { throw std::runtime_error(path + ": " + what); };
  std::ifstream file(path);
  if (!file)
    fail("cannot be read; a Hugging Face folder has config.json, model.safetensors and vocab.txt");
  auto json = ordered_json::parse(file, nullptr, false);
  if (!json.is_object()) fail("no JSON object");
  if (json.value("model_type", "bert") != "bert")
    fail(fmt::format("the model is a '{}', not a 'bert'", json["model_type"].get<std::string>()));
  if (json.value("position_embedding_type", "absolute") != "absolute")
    fail("positions are not 'absolute' ones");
  BertConfig config;
  auto read = [&](const char *name, auto &value) {
    auto found = json.find(name);
    if (found == json.end() || found->is_null()) return;
    if (!found->is_number() || found->template get<double>() < 0)
      fail(fmt::format("'{}' is no number from 0 up", name));
    found->get_to(value);
  };
  read("vocab_size", config.vocab_size), read("hidden_size", config.hidden_size);
  read("num_hidden_layers", config.num_hidden_layers);
  read("num_attention_heads", config.num_attention_heads);
  read("intermediate_size", config.intermediate_size);
  read("max_position_embeddings", config.max_position_embeddings);
  read("type_vocab_size", config.type_vocab_size), read("layer_norm_eps", config.layer_norm_eps);
  read("hidden_dropout_prob", config.hidden_dropout_prob);
  read("attention_probs_dropout_prob", config.attention_probs_dropout_prob);
  read("initializer_range", config.initializer_range), read("pad_token_id", config.pad_token_id);
  config.hidden_act = json.value("hidden_act", "gelu");
  if (config.hidden_act != "gelu" && config.hidden_act != "gelu_new" && config.hidden_act != "relu")
    fail(fmt::format("hidden_act '{}' is none of gelu, gelu_new and relu", config.hidden_act));
  if (config.num_attention_heads < 1 || config.hidden_size % config.num_attention_heads)
    fail(fmt::format("{} heads do not divide a width of {}", config.num_attention_heads,
                     config.hidden_size));
  if (auto names = json.find("id2label"); names != json.end() && names->is_object())
    for (size_t i = 0; names->contains(std::to_string(i)); ++i)
      config.labels.push_back((*names)[std::to_string(i)].get<std::string>());
  return config;
}

static bool endsWith(const std::string &text, const std::string &end, std::string &start) {
  if (!text.ends_with(end)) return false;
  start = text.substr(0, text.size() - end.size());
  return true;
}

/// The model's name for one of a checkpoint; empty: of another head, or no parameter.
static std::string ownName(std::string name) {
  std::string start;
  if (endsWith(name, "LayerNorm.gamma", start)) name = start + "LayerNorm.weight";
  if (endsWith(name, "LayerNorm.beta", start)) name = start + "LayerNorm.bias";
  if (name.starts_with("embeddings.") || name.starts_with("encoder.")) name = "bert." + name;
  bool known = name.starts_with("bert.embeddings.") || name.starts_with("bert.encoder.") ||
               name.starts_with("classifier.");
  return known && !name.ends_with(".position_ids") ? name : "";
}

bool loadBert(BertForTokenClassification &model, const std::string &folder) {
  std::string path = folder + "/model.safetensors";
  // A classifier of another task is not this one: it has another number of classes.
  bool hasClassifier = false;
  auto file = sinter::check(sinter::runtime::SafetensorsFile::open(path));
  const auto *found = file.find("classifier.weight");
  auto classes = static_cast<int64_t>(model.config.labels.size());
  hasClassifier = found && found->type.shape == sinter::Shape{classes, model.config.hidden_size};
  auto rename = [&](const std::string &name) {
    return name.starts_with("classifier.") && !hasClassifier ? "" : ownName(name);
  };
  // Adapters are files of their own.
  std::vector<std::string> optional{"classifier."};
  for (const auto &named : model.named_parameters())
    if (named.name.find(".lora_") != std::string::npos) optional.push_back(named.name);
  sinter::load(model, path, {.rename = rename, .optional = optional, .convert = true});
  return hasClassifier;
}

void exportBert(const BertForTokenClassification &model, const sinter::data::WordPiece &tokenizer,
                const std::string &folder) {
  const BertConfig &config = model.config;
  std::filesystem::create_directories(folder);
  ordered_json names = ordered_json::object(), numbers = ordered_json::object();
  for (size_t i = 0; i < config.labels.size(); ++i)
    names[std::to_string(i)] = config.labels[i], numbers[config.labels[i]] = i;
  ordered_json json{{"architectures", {"BertForTokenClassification"}},
                    {"model_type", "bert"},
                    {"vocab_size", config.vocab_size},
                    {"hidden_size", config.hidden_size},
                    {"num_hidden_layers", config.num_hidden_layers},
                    {"num_attention_heads", config.num_attention_heads},
                    {"intermediate_size", config.intermediate_size},
                    {"max_position_embeddings", config.max_position_embeddings},
                    {"type_vocab_size", config.type_vocab_size},
                    {"hidden_act", config.hidden_act},
                    {"hidden_dropout_prob", config.hidden_dropout_prob},
                    {"attention_probs_dropout_prob", config.attention_probs_dropout_prob},
                    {"layer_norm_eps", config.layer_norm_eps},
                    {"initializer_range", config.initializer_range},
                    {"pad_token_id", config.pad_token_id},
                    {"id2label", names},
                    {"label2id", numbers}};
  std::ofstream file(folder + "/config.json");
  file << json.dump(2) << "\n";
  if (!file.flush()) throw std::runtime_error(folder + "/config.json: cannot be written");
  tokenizer.save(folder);
  sinter::nn::save_merged(model, folder + "/model.safetensors", config.lora);
}

} // namespace examples
