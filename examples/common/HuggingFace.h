#pragma once

#include "../models/Bert.h"

namespace examples {

/// config.json of a folder that Hugging Face's save_pretrained wrote; what it lacks is BERT's. Throws
/// std::runtime_error on a file that is no configuration of BERT or asks for what this BERT does not have.
BertConfig readBertConfig(const std::string &folder);

/// model.safetensors of the folder into the model: with or without "bert." before the names of a part of it, gamma and
/// beta for weight and bias of normalisations, other floating types, heads of other tasks left out. Returns whether
/// the classifier was there; else it keeps its initial values.
bool loadBert(BertForTokenClassification &model, const std::string &folder);

/// Writes config.json, model.safetensors (adapters merged) and the tokenizer's files.
void exportBert(const BertForTokenClassification &model, const sinter::data::WordPiece &tokenizer,
                const std::string &folder);

} // namespace examples
