/// A head of one's own: two layers on the encoder instead of one, trained, saved and used like any other.
#include <onoma/onoma.hpp>

#include <iostream>

/// logits = f(dropout(hidden) W1^T + b1) W2^T + b2 with the loss of token labels. What a head must have stands
/// in onoma/heads/concept.hpp; forward, loss and backward are neighbours, and only the backend touches tensors.
template <onoma::training_backend B>
class two_layer_head {
 public:
  using backend_type = B;
  using scalar = typename B::scalar;
  using targets = onoma::token_targets;  // a label for each token

  static constexpr std::string_view kind = "two_layer";
  static constexpr std::string_view prefixes[] = {"classifier."};
  static constexpr std::span<const std::string_view> tensor_prefixes = prefixes;

  /// What backward reads.
  struct saved {
    onoma::mat<scalar> hidden, before, after;  // [M, H] each
    typename onoma::cross_entropy<B>::saved loss;
    std::vector<std::int32_t> labels;
  };

  explicit two_layer_head(const onoma::head_settings& s)
      : first_(s.hidden, s.hidden),
        second_(s.hidden, s.labels),
        hidden_(s.hidden),
        labels_(s.labels),
        dropout_(static_cast<float>(s.dropout)) {}

  template <class Visitor>
  void visit(const onoma::scope& at, Visitor&& visitor) {
    first_.visit(at / "classifier" / "dense", visitor);
    second_.visit(at / "classifier" / "out_proj", visitor);
  }
  template <class Visitor>
  void visit_linears(Visitor&& visitor) {
    first_.visit_linears(visitor);
    second_.visit_linears(visitor);
  }
  [[nodiscard]] onoma::index_t columns() const { return labels_; }

  // Targets are those of the library's token head: so are its rules for them.
  onoma::index_t check(const onoma::tagged_batch& batch) const { return onoma::check_labels(batch, labels_); }
  void wanted(const onoma::tagged_batch& batch, std::vector<std::int32_t>& rows) const {
    onoma::labelled_rows(batch, rows);
  }

  onoma::mat<scalar> scores(const onoma::pass<B>& run, onoma::mat<scalar> hidden) const {
    saved unused;
    return forward(run, hidden, unused);
  }
  void normalise(const onoma::pass<B>& run, onoma::mat<scalar> logits) const {
    run.device.softmax(logits, logits);
  }

  onoma::loss_result forward_loss(const onoma::pass<B>& run, const onoma::tagged_batch& batch,
                                  onoma::mat<scalar> hidden, double divisor, saved& keep) const {
    const auto logits = forward(run, hidden, keep);
    onoma::labels_of_rows(batch, hidden.rows, keep.labels);
    const auto labels = run.upload({keep.labels.data(), hidden.rows});
    return onoma::cross_entropy<B>::forward(run, logits, labels, divisor, keep.loss);
  }

  onoma::mat<scalar> backward(const onoma::pass<B>& run, const saved& kept) const {
    const auto dafter = run.scratch.template take<scalar>(kept.after.rows, hidden_);
    const auto d = run.scratch.template take<scalar>(kept.hidden.rows, hidden_);
    second_.backward(run.device, kept.after, onoma::cross_entropy<B>::backward(kept.loss), function_,
                     kept.before, dafter);
    first_.backward(run.device, kept.hidden, dafter, onoma::set, d);
    run.device.dropout(d, mask(run));
    return d;
  }

 private:
  onoma::mat<scalar> forward(const onoma::pass<B>& run, onoma::mat<scalar> hidden, saved& keep) const {
    run.device.dropout(hidden, mask(run));
    const auto before = run.training ? run.keep(hidden.rows, hidden_) : onoma::mat<scalar>{};
    const auto after = run.keep(hidden.rows, hidden_);
    const auto logits = run.keep(hidden.rows, labels_);
    first_.forward(run.device, hidden, function_, before, after);
    second_.forward(run.device, after, logits);
    keep.hidden = hidden;
    keep.before = before;
    keep.after = after;
    return logits;
  }
  onoma::dropout_spec mask(const onoma::pass<B>& run) const {
    return run.dropout.at(onoma::random_place::head_dropout, dropout_);
  }

  static constexpr auto function_ = onoma::activation::gelu;
  onoma::linear<B> first_;   // [H, H]
  onoma::linear<B> second_;  // [L, H]
  onoma::index_t hidden_;
  onoma::index_t labels_;
  float dropout_;
};

int main(int argc, char** argv) {
  using head = two_layer_head<onoma::cpu_backend>;
  if (argc != 4) {
    std::cerr << "usage: own_head ENCODER_FOLDER TRAIN.conll OUTPUT_FOLDER\n";
    return 2;
  }
  try {
    const auto sentences = onoma::read_conll(argv[2]);
    const auto tags = onoma::tag_set::from_tags(onoma::tags_of(sentences));
    const auto tokens = onoma::load_tokenizer(argv[1]);

    onoma::thread_pool pool(2);
    onoma::cpu_backend backend(pool);
    auto model = onoma::trainable_model<onoma::cpu_backend, head>::load(argv[1], tags.labels(), backend,
                                                                        {.replace_head = true});
    onoma::training_options options;
    options.epochs = 2;
    options.learning_rate = 3e-4;
    onoma::trainer trainer(model, tokens, sentences, {}, options);
    const auto result = trainer.run();
    std::cout << "loss " << result.losses.front() << " to " << result.losses.back() << '\n';
    model.save(argv[3]);

    auto session = onoma::session<onoma::cpu_backend, head>::load(argv[3], backend);
    const auto report = onoma::evaluate_on(session, tokens, sentences);
    std::cout << "F1 on what it learned from: " << report.micro.f1 << '\n';
  } catch (const onoma::error& problem) {
    std::cerr << "own_head: " << problem.what() << '\n';
    return 1;
  }
}
