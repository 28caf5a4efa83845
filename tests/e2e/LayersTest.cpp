// Layers of recurrence and attention, with PyTorch's names of parameters, against its values and gradients.
#include "FollowsTorch.h"

using namespace sinter;
using test::Followed, test::json, test::Tensors;

namespace {

class Layers : public test::FollowsTorch {
public:
  /// A recurrent layer on a file's inputs.
  template <class Layer> void followRecurrent(const std::string &op, bool hasCell) {
    followAs(op, [=](const json &a) {
      typename Layer::Options options;
      options.input_size = 2;
      options.hidden_size = 3;
      options.num_layers = a.value("num_layers", 1);
      options.bias = a.value("bias", true);
      options.batch_first = a.value("batch_first", false);
      options.bidirectional = a.value("bidirectional", false);
      auto layer = std::make_shared<Layer>(nullptr, "", options);
      auto function = [=](Tensors &t, const json &) {
        nn::RecurrentOutputs made = (*layer)(t["input"], {.lengths = t["lengths"]});
        std::vector<Tensor> outputs{made.output, made.h_n};
        if (hasCell) outputs.push_back(made.c_n);
        return outputs;
      };
      return Followed{function, layer};
    });
  }
};

nn::TransformerLayerOptions transformerOf(const json &a) {
  return {.d_model = a.at("d_model"),
          .nhead = a.at("nhead"),
          .dim_feedforward = a.at("dim_feedforward"),
          .dropout = 0,
          .batch_first = a.at("batch_first"),
          .norm_first = a.at("norm_first")};
}

} // namespace

TEST_P(Layers, RecurrenceIsTorchs) {
  followRecurrent<nn::LSTM>("lstm_layers", true);
  followRecurrent<nn::GRU>("gru_layers", false);
  followRecurrent<nn::RNN>("rnn_layers", false);
}

TEST_P(Layers, FirstStatesAreTorchs) {
  // Written out, in f64.
  follow("lstm", [](Tensors &t, const json &) {
    auto made = scan(
        [&](const std::vector<Tensor> &s, const std::vector<Tensor> &x) {
          Tensor gates = linear(x[0], t["weight_ih"], t["bias_ih"]) +
                         linear(s[0], t["weight_hh"], t["bias_hh"]);
          auto gate = [&](int64_t i) { return narrow(gates, 1, 3 * i, 3); };
          Tensor c = sigmoid(gate(1)) * s[1] + sigmoid(gate(0)) * tanh(gate(2));
          Tensor h = sigmoid(gate(3)) * tanh(c);
          return ScanValues{{h, c}, {h}};
        },
        {select(t["h0"], 0, 0), select(t["c0"], 0, 0)}, {t["input"]});
    return std::vector<Tensor>{made.outputs[0], unsqueeze(made.state[0], 0),
                               unsqueeze(made.state[1], 0)};
  });
  follow("rnn_tanh", [](Tensors &t, const json &) {
    auto made = scan(
        [&](const std::vector<Tensor> &s, const std::vector<Tensor> &x) {
          Tensor h = tanh(linear(x[0], t["weight_ih"], t["bias_ih"]) +
                          linear(s[0], t["weight_hh"], t["bias_hh"]));
          return ScanValues{{h}, {h}};
        },
        {select(t["h0"], 0, 0)}, {t["input"]});
    return std::vector<Tensor>{made.outputs[0], unsqueeze(made.state[0], 0)};
  });
}

TEST_P(Layers, AttentionIsTorchs) {
  followAs("multihead_attention", [](const json &a) {
    auto layer = std::make_shared<nn::MultiheadAttention>(
        nullptr, "",
        nn::MultiheadAttentionOptions{.embed_dim = a.at("embed_dim"),
                                      .num_heads = a.at("num_heads"),
                                      .bias = a.at("bias"),
                                      .batch_first = a.at("batch_first")});
    auto function = [=](Tensors &t, const json &) {
      return std::vector<Tensor>{
          (*layer)(t["query"], t["key"], t["value"],
                   {.key_padding_mask = t["key_padding_mask"], .attn_mask = t["attn_mask"]})};
    };
    return Followed{function, layer};
  });
}

TEST_P(Layers, TransformersAreTorchs) {
  followAs("transformer_encoder_layer", [](const json &a) {
    auto layer = std::make_shared<nn::TransformerEncoderLayer>(nullptr, "", transformerOf(a));
    auto function = [=](Tensors &t, const json &) {
      return std::vector<Tensor>{(*layer)(t["src"])};
    };
    return Followed{function, layer};
  });
  followAs("transformer_decoder_layer", [](const json &a) {
    auto layer = std::make_shared<nn::TransformerDecoderLayer>(nullptr, "", transformerOf(a));
    auto function = [=](Tensors &t, const json &) {
      return std::vector<Tensor>{(*layer)(t["tgt"], t["memory"])};
    };
    return Followed{function, layer};
  });
}

/// What has launches: not the evaluator.
class LayersLaunched : public Layers {};

TEST_P(LayersLaunched, AScanIsOneCopyOfItsStep) {
  nn::LSTM lstm(nullptr, "", {.input_size = 4, .hidden_size = 8});
  auto launches = [&](int64_t length) {
    auto loss = trace([&](Tensor x) { return sum(lstm(x).output); }, {{{length, 2, 4}, f32}});
    auto run = compile(grad(loss, lstm.parameters()), {.device = device()});
    return run.launches().size();
  };
  EXPECT_EQ(launches(3), launches(50));
}

SINTER_ON_DEVICES(Layers, "reference", "cpu", "cuda-emulated");
SINTER_ON_DEVICES(LayersLaunched, "cpu", "cuda-emulated");
