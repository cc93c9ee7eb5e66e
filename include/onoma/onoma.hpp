/// Everything: for programs. The library's own headers include what they use instead.
#pragma once

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/backend/reference.hpp>
#include <onoma/classic/train.hpp>
#include <onoma/core/config.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/data/check.hpp>
#include <onoma/data/conll.hpp>
#include <onoma/data/document.hpp>
#include <onoma/data/format.hpp>
#include <onoma/data/sample.hpp>
#include <onoma/data/sentence.hpp>
#include <onoma/data/span_corpora.hpp>
#include <onoma/data/tag_view.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/exec/thread_pool.hpp>
#include <onoma/heads/crf.hpp>
#include <onoma/match/gazetteer_text.hpp>
#include <onoma/match/matchers.hpp>
#include <onoma/match/rules.hpp>
#include <onoma/models/quantize.hpp>
#include <onoma/models/token_classifier.hpp>
#include <onoma/ner/aggregate.hpp>
#include <onoma/ner/align.hpp>
#include <onoma/ner/decode.hpp>
#include <onoma/ner/metrics.hpp>
#include <onoma/ner/report.hpp>
#include <onoma/ner/report_json.hpp>
#include <onoma/ner/span_decode.hpp>
#include <onoma/ner/tag_set.hpp>
#include <onoma/ner/transitions.hpp>
#include <onoma/pipeline.hpp>
#include <onoma/predict/classic_tagger.hpp>
#include <onoma/predict/evaluate.hpp>
#include <onoma/predict/spans.hpp>
#include <onoma/text/batch_tokenizer.hpp>
#include <onoma/text/files/load.hpp>
#include <onoma/text/tokenizer.hpp>
#include <onoma/train/progress.hpp>
#include <onoma/train/span_task.hpp>
#include <onoma/train/trainer.hpp>
#include <onoma/version.hpp>

/// The whole library: named entity recognition with transformer encoders. Failures are exceptions of one
/// type, `error`, which says what was expected and what was found; nothing prints, aborts or keeps globals.
namespace onoma {}
