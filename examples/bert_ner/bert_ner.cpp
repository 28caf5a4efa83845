// Entities in sentences by BERT. --model names a folder as Hugging Face's save_pretrained writes it; without
// it, a small BERT starts from random weights. --data names a CoNLL file, or a folder with train, valid and
// test; without it, sentences are made up.
#include "../common/HuggingFace.h"
#include "../common/Run.h"
#include "Task.h"

#include <sinter/runtime/Npy.h>

#include <algorithm>
#include <optional>

namespace {

using namespace sinter;
using examples::BertConfig;

struct Own {
  std::string model, tag, logits, exported, checkpoint, adapter;
  bool evaluate = false;
  int64_t length = 128, patience = 2, rank = 0;
};

BertConfig smallConfig(const data::WordPiece &tokenizer) {
  BertConfig config;
  config.vocab_size = static_cast<int64_t>(tokenizer.vocabulary().size());
  config.hidden_size = 64, config.num_hidden_layers = 2, config.num_attention_heads = 4;
  config.intermediate_size = 128, config.max_position_embeddings = 512;
  config.pad_token_id = tokenizer.pad_id();
  return config;
}

/// The checkpoint's own labels if they are names of tags; else those of the data.
void chooseLabels(BertConfig &config, const std::optional<examples::TaggedData> &data) {
  bool named = !config.labels.empty() && config.labels[0] != "LABEL_0";
  if (named) return;
  if (!data) throw std::runtime_error("the checkpoint names no labels, so --data is needed");
  config.labels = sinter::data::labels(data->train);
}

/// Prints both tables; the F1 of entities of all types together.
double report(const data::TokenClasses &test, const std::vector<data::TaggedSentence> &sentences,
              const Array &logits) {
  std::vector<metrics::Tags> predicted = test.tags(logits), target;
  std::vector<int64_t> is, said;
  auto number = [&](const std::string &tag) {
    const auto &names = test.label_names();
    return std::find(names.begin(), names.end(), tag) - names.begin();
  };
  for (size_t i = 0; i < sentences.size(); ++i) {
    target.push_back(sentences[i].tags);
    for (size_t word = 0; word < predicted[i].size(); ++word) {
      is.push_back(number(sentences[i].tags[word]));
      said.push_back(number(predicted[i][word]));
    }
  }
  metrics::ReportOptions options{.target_names = test.label_names()};
  for (size_t i = 0; i < test.label_names().size(); ++i)
    options.labels.push_back(static_cast<int64_t>(i));
  auto entities = metrics::entity_report(target, predicted);
  fmt::print("words, by tag:\n{}\nentities, by type:\n{}",
             metrics::classification_report(Array(is), Array(said), options).text(),
             entities.text());
  return entities.micro.f1;
}

/// Words and signs of a sentence, each with its tag.
void tag(Trainer &trainer, const data::WordPiece &tokenizer, const BertConfig &config,
         const std::string &sentence, int64_t length) {
  data::WordPieceOptions asWritten = tokenizer.options();
  asWritten.do_lower_case = false, asWritten.strip_accents = false;
  data::TaggedSentence one{.words =
                               data::WordPiece(tokenizer.vocabulary(), asWritten).words(sentence)};
  if (one.words.empty()) throw std::runtime_error("--tag: a sentence without words");
  one.tags.assign(one.words.size(), "O");
  std::vector<std::string> labels = config.labels;
  if (std::find(labels.begin(), labels.end(), "O") == labels.end())
    throw std::runtime_error("the model's labels have no O");
  data::TokenClasses input({one}, tokenizer, labels, {.max_length = length});
  metrics::Tags tags = input.tags(trainer.predict(input.x()))[0];
  for (size_t i = 0; i < tags.size(); ++i) fmt::print("{}\t{}\n", one.words[i], tags[i]);
}

int run(examples::Options options, Own own) {
  bool pretrained = !own.model.empty();
  bool needsData = own.tag.empty() || !pretrained || !options.data.empty();
  std::optional<examples::TaggedData> found;
  if (needsData)
    found = options.data.empty() || options.data == "generated"
                ? examples::madeUpTagged(options.seed)
                : examples::readTagged(options.data, options.seed);

  auto tokenizer =
      pretrained ? data::WordPiece::from_folder(own.model)
                 : data::WordPiece(examples::vocabularyOf(found->train), {.do_lower_case = false});
  BertConfig config = pretrained ? examples::readBertConfig(own.model) : smallConfig(tokenizer);
  if (static_cast<int64_t>(tokenizer.vocabulary().size()) > config.vocab_size)
    throw std::runtime_error(fmt::format("{}: vocab.txt has {} tokens, the model {}", own.model,
                                         tokenizer.vocabulary().size(), config.vocab_size));
  if (!options.given.count("--length"))
    own.length = std::min(own.length, config.max_position_embeddings);
  if (own.length > config.max_position_embeddings)
    throw std::runtime_error(fmt::format("--length {}: the model has {} positions", own.length,
                                         config.max_position_embeddings));
  chooseLabels(config, found);
  config.lora.r = own.rank;
  config.lora.alpha = 2 * static_cast<double>(own.rank);
  examples::BertForTokenClassification model(config);
  if (pretrained && !examples::loadBert(model, own.model))
    fmt::print("the classifier is new: {} has none for {} labels\n", own.model,
               config.labels.size());
  if (own.rank) {
    nn::freeze_base(model, {"classifier"});
    fmt::print("adapters of rank {}: {} of {} parameters are trained\n", own.rank,
               nn::num_trainable_parameters(model), model.num_parameters());
  }
  // A small model from random weights takes longer strides, and more of them.
  if (!pretrained && !options.given.count("--lr")) options.lr = 1e-3;
  if (!pretrained && !options.given.count("--epochs")) options.epochs = 20;

  if (!found) { // a model that is at hand tags a sentence
    if (!options.load.empty()) load(model, options.load);
    Trainer trainer(model, examples::tokenLoss(), optim::AdamW{}, options.trainer());
    tag(trainer, tokenizer, config, own.tag, own.length);
    return 0;
  }
  auto sets = [&](const std::vector<data::TaggedSentence> &sentences, const std::string &name,
                  int64_t length) {
    return data::TokenClasses(sentences, tokenizer, config.labels,
                              {.max_length = own.length, .length = length}, name);
  };
  // One length for all, so that one evaluation step is compiled.
  int64_t length = 0, truncated = 0;
  for (const auto *part : {&found->train, &found->valid, &found->test}) {
    auto set = sets(*part,
                    part == &found->train   ? found->trainName
                    : part == &found->valid ? found->validName
                                            : found->testName,
                    0);
    length = std::max(length, set.length());
    truncated += set.truncated();
  }
  auto train = sets(found->train, found->trainName, length),
       valid = sets(found->valid, found->validName, length),
       test = sets(found->test, found->testName, length);
  fmt::print(
      "{} sentences to train, {} to validate, {} to test; {} labels ({}), {} pieces each{}\n",
      train.size(), valid.size(), test.size(), config.labels.size(),
      data::tagging_scheme(found->train), length,
      truncated ? fmt::format("; {} sentences are longer and cut off", truncated) : "");

  int64_t perEpoch = (train.size() + options.batch_size - 1) / options.batch_size;
  int64_t total = options.steps ? options.steps : options.epochs * perEpoch;
  auto schedule = optim::warmup_schedule(
      {.warmup_steps = total / 10, .total_steps = std::max<int64_t>(total, 1)});
  Trainer trainer(model, examples::tokenLoss(),
                  examples::bertOptimizer(model, options.lr, schedule), options.trainer());
  examples::Run what{.example = "bert_ner",
                     .options = options,
                     .model = model,
                     .trainer = trainer,
                     .train = train,
                     .test = &test,
                     .metrics = {examples::tokenAccuracy},
                     .validation = &valid,
                     .checkpoint = {.path = own.checkpoint, .resume = !own.checkpoint.empty()}};
  if (options.steps == 0 && own.patience > 0)
    what.callbacks.push_back(early_stopping({.monitor = "val_accuracy", .patience = own.patience}));
  examples::Outcome outcome;
  if (own.evaluate) {
    if (!options.load.empty()) load(model, options.load);
    outcome.test =
        trainer.evaluate(test, {.batch_size = options.batch_size, .metrics = what.metrics});
  } else {
    outcome = examples::train(what);
  }
  Array logits = trainer.predict(test, options.batch_size);
  outcome.test.values["entity_f1"] = report(test, found->test, logits);
  examples::writeRecord(what, outcome);
  fmt::print("test loss {:.4f}, accuracy of words {:.2f}%\n", outcome.test["loss"],
             100 * outcome.test["accuracy"]);
  if (!own.logits.empty()) {
    check(runtime::writeNpy(own.logits, {logits.dtype(), logits.shape()}, logits.bytes()));
    fmt::print("wrote {}\n", own.logits);
  }
  if (!own.adapter.empty()) {
    nn::save_adapter(model, own.adapter, config.lora, {"classifier"});
    fmt::print("wrote {}\n", own.adapter);
  }
  if (!own.exported.empty()) {
    examples::exportBert(model, tokenizer, own.exported);
    fmt::print("wrote {}\n", own.exported);
  }
  if (!own.tag.empty()) tag(trainer, tokenizer, config, own.tag, length);
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  Own own;
  auto options = examples::parse(
      argc, argv,
      "Entities in sentences: BERT with a class for each token. Without --model a small "
      "one\nstarts from random weights: 20 epochs at a rate of 1e-3, unless told otherwise.",
      {.epochs = 5, .batch_size = 16, .lr = 2e-5},
      {{"--model", "Hugging Face folder: config.json, model.safetensors, vocab.txt", &own.model},
       {"--evaluate", "do not train", &own.evaluate},
       {"--tag", "print the tags of a sentence", &own.tag},
       {"--logits", "write the test data's logits (.npy)", &own.logits},
       {"--export", "write a Hugging Face folder at the end", &own.exported},
       {"--checkpoint", "go on from this file if it is there; written after each epoch",
        &own.checkpoint},
       {"--length", "most pieces of a sentence; the rest is cut off", &own.length},
       {"--patience", "epochs without a better validation before training stops (0: never)",
        &own.patience},
       {"--lora", "train adapters of this rank in place of all weights", &own.rank},
       {"--adapter", "write the adapters into this folder at the end, as peft does",
        &own.adapter}});
  return examples::guarded([&] { return run(options, own); });
}
