/// The seam between the CPU backend and its kernels: a plain struct of function pointers per
/// instruction set, over raw pointers and integers.
///
/// Shape alphabet as in backend/concept.hpp. Strides are in elements. Every function runs on the
/// calling thread and is coarse (a block of rows, one head, a range of columns), so that the
/// indirect call costs nothing.
#pragma once

#include <onoma/core/activation.hpp>
#include <onoma/core/types.hpp>

#include <cstddef>
#include <cstdint>

// These types are shared by units that are compiled for different instruction sets: they live in
// ONOMA_SEAM, which names none, and have no functions, of which a unit could export its own copy.
namespace onoma::inline ONOMA_SEAM {

/// What a product does with its sums before it stores them.
enum class epilogue_kind : std::int32_t {
  none,        ///< c = sum
  bias,        ///< c = sum + bias
  residual,    ///< c = residual + sum + bias
  activation,  ///< pre = sum + bias; c = function(pre)
};

struct epilogue {
  epilogue_kind kind = epilogue_kind::none;
  activation function = activation::gelu;  ///< of `activation`
  const float* bias = nullptr;             ///< [columns]; may be null for `residual` and `activation`
  float* pre = nullptr;                    ///< [rows, columns]; null: not kept
  index_t pre_stride = 0;
  const float* residual = nullptr;  ///< [rows, columns]; not C, which may hold parts of sums
  index_t residual_stride = 0;
};

/// C [rows, columns of the panels first_panel .. last_panel) (= | +=) A [rows, depth] B, then the
/// epilogue. B was packed by `pack` of the same table, or lies row by row where the table allows it.
struct gemm_call {
  index_t rows = 0;
  index_t depth = 0;
  index_t columns = 0;  ///< of the whole C
  const float* a = nullptr;
  index_t a_stride = 0;
  const float* b = nullptr;  ///< the whole of it
  index_t b_stride = 0;        ///< 0: packed; otherwise between the rows of B [depth, columns]
  index_t first_panel = 0;
  index_t last_panel = 0;
  bool accumulate = false;
  float* c = nullptr;  ///< row 0 of these rows, column 0 of the whole C
  index_t c_stride = 0;
  epilogue finish{};
  index_t row = 0;  ///< number of the first row: of `finish`'s matrices, and of a packed A
  std::byte* scratch = nullptr;  ///< `gemm_scratch` bytes, 64-byte aligned; no other task's
};

/// Panels first_panel .. last_panel of B [depth, columns] into `packed` (the whole of it).
struct pack_call {
  const float* source = nullptr;  ///< B, or B^T [columns, depth] if `transposed`
  index_t stride = 0;
  index_t depth = 0;
  index_t columns = 0;
  bool transposed = false;
  index_t first_panel = 0;
  index_t last_panel = 0;
  float* packed = nullptr;
};

/// Tiles first_tile .. last_tile, `tile_rows` rows each, of A [rows, depth], which is given
/// transposed: source [depth, rows].
struct pack_rows_call {
  const float* source = nullptr;
  index_t stride = 0;
  index_t depth = 0;
  index_t rows = 0;
  index_t first_tile = 0;
  index_t last_tile = 0;
  float* packed = nullptr;  ///< the whole packed A
};

/// See dropout_spec (core/rng.hpp).
struct dropout_call {
  float probability = 0.0F;
  std::uint64_t key = 0;
};

/// Rows of: x = z = residual + dropout(x); y = gamma normalised(z) + beta. RMS normalisation has no beta
/// and no mean.
struct add_norm_call {
  index_t rows = 0;
  index_t hidden = 0;
  float* x = nullptr;
  index_t x_stride = 0;
  const float* residual = nullptr;  ///< may be null
  index_t residual_stride = 0;
  dropout_call dropout{};
  index_t number = 0;  ///< of the first element; rows are `hidden` numbers apart
  const float* gamma = nullptr;
  const float* beta = nullptr;  ///< may be null
  float eps = 0.0F;
  float* y = nullptr;
  index_t y_stride = 0;
  float* mean = nullptr;               ///< [rows], null: not kept
  float* reciprocal_stddev = nullptr;  ///< [rows], null: not kept
};

/// Rows of the backward: dz is set, and may be dy, or added to; dx (may be null) = dropout(dz).
struct add_norm_backward_call {
  index_t rows = 0;
  index_t hidden = 0;
  bool accumulate = false;
  const float* z = nullptr;
  index_t z_stride = 0;
  const float* mean = nullptr;
  const float* reciprocal_stddev = nullptr;
  const float* gamma = nullptr;
  const float* dy = nullptr;
  index_t dy_stride = 0;
  dropout_call dropout{};
  index_t number = 0;
  float* dz = nullptr;
  index_t dz_stride = 0;
  float* dx = nullptr;
  index_t dx_stride = 0;
};

/// dgamma += sum of dy xhat, dbeta += sum of dy over all rows, for `columns` columns.
struct add_norm_parameters_call {
  index_t rows = 0;
  index_t columns = 0;
  const float* z = nullptr;
  index_t z_stride = 0;
  const float* mean = nullptr;
  const float* reciprocal_stddev = nullptr;
  const float* dy = nullptr;
  index_t dy_stride = 0;
  float* dgamma = nullptr;
  float* dbeta = nullptr;  ///< may be null
};

/// Rows of y = function(pre's left half) times its right half.
struct gate_call {
  activation function = activation::gelu;
  index_t rows = 0;
  index_t columns = 0;           ///< of y; pre has twice as many
  const float* pre = nullptr;
  index_t pre_stride = 0;
  float* y = nullptr;
  index_t y_stride = 0;
};

/// The backward of it: dpre is set.
struct gate_backward_call {
  activation function = activation::gelu;
  index_t rows = 0;
  index_t columns = 0;  ///< of dy
  const float* pre = nullptr;
  index_t pre_stride = 0;
  const float* dy = nullptr;
  index_t dy_stride = 0;
  float* dpre = nullptr;
  index_t dpre_stride = 0;
};

/// Rows of x, whose heads turn by the angles of their row, or back.
struct rotate_call {
  index_t rows = 0;
  index_t heads = 0;
  index_t pairs = 0;  ///< half of a head's columns
  const float* cosine = nullptr;
  index_t cosine_stride = 0;
  const float* sine = nullptr;
  index_t sine_stride = 0;
  bool back = false;
  float* x = nullptr;
  index_t x_stride = 0;
};

/// How many queries and keys one head over one sequence has, and what they see (attention_reach in
/// core/operands.hpp).
struct attention_size {
  index_t queries = 0;  ///< > 0: the last of the sequence's tokens
  index_t keys = 0;     ///< at least as many
  index_t width = 0;    ///< D
  index_t before = 0;
  index_t after = 0;
};

/// One head over one sequence: pointers to its first row and column.
struct attention_operand {
  attention_size size{};
  const float* q = nullptr;
  index_t q_stride = 0;
  const float* k = nullptr;
  index_t k_stride = 0;
  const float* v = nullptr;
  index_t v_stride = 0;
  float scale = 1.0F;
  dropout_call dropout{};
  index_t first_number = 0;    ///< number of probability (query 0, key 0)
  index_t number_stride = 0;   ///< from one query to the next
  /// Added to the products before the scale: element j - i for key j and a query at position i, so that
  /// elements -(keys - 1) to keys - 1 are read. Null: none.
  const float* bias = nullptr;
  float* scratch = nullptr;  ///< as many floats as the table asks for this size
};

/// out [queries, D] = dropout(softmax(scale q k^T)) v.
struct attention_call {
  attention_operand head{};
  float* out = nullptr;
  index_t out_stride = 0;
  float* log_sum_exp = nullptr;  ///< [queries], null: not kept
};

/// The backward of it; dq is set, and so are dk and dv unless `accumulate`.
struct attention_backward_call {
  attention_operand head{};
  const float* out = nullptr;
  index_t out_stride = 0;
  const float* log_sum_exp = nullptr;
  const float* dout = nullptr;
  index_t dout_stride = 0;
  float* dq = nullptr;
  index_t dq_stride = 0;
  float* dk = nullptr;
  index_t dk_stride = 0;
  float* dv = nullptr;
  index_t dv_stride = 0;
  bool accumulate = false;  ///< another head of queries has already been there
  float* dbias = nullptr;   ///< laid out as the bias; added to. Null: not wanted
};

/// Rows of y = softmax(x).
struct softmax_call {
  index_t rows = 0;
  index_t columns = 0;
  const float* x = nullptr;
  index_t x_stride = 0;
  float* y = nullptr;  ///< may be x
  index_t y_stride = 0;
};

/// Rows of the loss log(sum exp(x)) - x[label], 0 for the ignored label, and of its gradient.
struct cross_entropy_call {
  index_t rows = 0;
  index_t columns = 0;
  const float* x = nullptr;
  index_t x_stride = 0;
  const std::int32_t* labels = nullptr;
  std::int32_t ignored = 0;
  double* losses = nullptr;  ///< [rows]
  float scale = 1.0F;        ///< of the gradient
  float* dx = nullptr;       ///< null: not wanted
  index_t dx_stride = 0;
};

/// Spans of words that begin with one word (core/span_scores.hpp).
struct span_scores_call {
  index_t labels = 0;
  index_t size = 0;              ///< elements of a word
  index_t widths = 0;            ///< of spans that do not go beyond the sequence
  const float* begin = nullptr;  ///< [labels * size] of the word
  const float* end = nullptr;    ///< [widths, size] of the word and those behind it
  index_t end_stride = 0;
  const float* bias = nullptr;   ///< [labels]
  const float* width = nullptr;  ///< [widths * labels]
  float* scores = nullptr;       ///< [widths * labels]
};

/// The gradients of one word.
struct span_scores_backward_call {
  index_t labels = 0;
  index_t size = 0;
  index_t widths = 0;              ///< of spans that begin with the word
  index_t widths_before = 0;       ///< of spans that end with it
  const float* begin = nullptr;    ///< row of the word: those before it are read too
  index_t begin_stride = 0;
  const float* end = nullptr;      ///< row of the word: those behind it are read too
  index_t end_stride = 0;
  const float* dscores = nullptr;  ///< row of the word: those before it are read too
  index_t dscores_stride = 0;
  float* dbegin = nullptr;         ///< [labels * size], set
  float* dend = nullptr;           ///< [size], set
  float* dbias = nullptr;          ///< [labels], set
};

/// Weights and rules of a linear chain (core/crf.hpp) into the layout that its kernels read.
struct crf_prepare_call {
  index_t labels = 0;
  const float* transitions = nullptr;  ///< [L, L]
  index_t transitions_stride = 0;
  const float* start = nullptr;              ///< [L]
  const float* end = nullptr;                ///< [L]
  const std::uint8_t* may_follow = nullptr;  ///< [L, L] 0 forbids; null: all may
  index_t may_follow_stride = 0;
  const std::uint8_t* may_start = nullptr;  ///< [L] likewise
  const std::uint8_t* may_end = nullptr;    ///< [L] likewise
  float* chain = nullptr;                   ///< as many floats as the table asks for
};

/// One sequence under a prepared chain, and which of its paths count.
struct crf_operand {
  index_t words = 0;  ///< > 0
  index_t labels = 0;
  const float* chain = nullptr;
  const float* x = nullptr;  ///< emissions [words, L]
  index_t x_stride = 0;
  const std::int32_t* known = nullptr;  ///< [words] labels, or `unknown`; null: no word is known
  std::int32_t unknown = 0;
  const std::uint8_t* allowed = nullptr;  ///< [words, L] of words that are not known; null: any label
  index_t allowed_stride = 0;
  float* scratch = nullptr;  ///< as many floats as the table asks for
};

/// log of the sum over all paths that count, and `factor` times its gradient: probabilities of labels, and of
/// pairs of neighbours, starts and ends. Without a path the sum is minus infinity and no gradient is written.
struct crf_sums_call {
  crf_operand sequence{};
  double* log_sum = nullptr;
  float factor = 1.0F;
  bool accumulate = false;  ///< dx is added to, not set
  float* dx = nullptr;      ///< [words, L]; null: no gradient is wanted
  index_t dx_stride = 0;
  /// Added to, unless it is null: transitions [L, P], start [P], end [P] for rows of P floats, L padded to
  /// whole vectors.
  float* dchain = nullptr;
};

/// The best path that counts, and its score; minus infinity and no path where there is none, infinity where scores
/// are too large.
struct crf_viterbi_call {
  crf_operand sequence{};
  std::int32_t* path = nullptr;  ///< [words]
  double* score = nullptr;
};

/// Rows of a table, one for each token.
struct gather_call {
  const float* table = nullptr;  ///< null: no such table
  index_t stride = 0;
  const std::int32_t* rows = nullptr;  ///< null: row 0 for every token
};

/// Rows of y = word + type + position.
struct embed_call {
  index_t rows = 0;
  index_t hidden = 0;
  gather_call word{};
  gather_call position{};  ///< may have no table
  gather_call type{};      ///< likewise
  float* y = nullptr;
  index_t y_stride = 0;
};

/// table[rows[n]] += from[n] for n = 0, 1, ... in this order, for `columns` columns.
struct scatter_call {
  index_t rows = 0;
  index_t columns = 0;
  const float* from = nullptr;
  index_t from_stride = 0;
  float* table = nullptr;
  index_t stride = 0;
  const std::int32_t* targets = nullptr;  ///< null: row 0 for every token
};

/// The constants of one AdamW update, as kernels/ref/adamw.hpp derives them.
struct adamw_call {
  float step_size = 0.0F;        ///< learning_rate / (1 - beta1^t)
  float reciprocal_root = 0.0F;  ///< 1 / sqrt(1 - beta2^t)
  float decay = 1.0F;            ///< 1 - learning_rate * weight_decay
  float one_minus_beta1 = 0.0F;
  float beta2 = 0.0F;
  float one_minus_beta2 = 0.0F;
  float eps = 0.0F;
  float gradient_scale = 1.0F;
};

// Products of 8-bit integers. Weights lie in strips of 16 columns (output channels), each
// [depth / 4][16][4]: a group of four steps of depth is one 512-bit vector, two 256-bit ones, or one
// row of an AMX tile, so that one layout serves every instruction set. Depth is padded with zeros to
// 64, the width of a tile.
//
// Activations are stored as code + 128 in unsigned bytes, because vpdpbusd multiplies unsigned by
// signed bytes. The surplus, 128 times the sum of a channel's codes, is known at packing time and taken
// off at the end: the sums are exactly those of the specification (kernels/ref/quantized.hpp).
inline constexpr index_t int8_strip = 16;
inline constexpr index_t int8_depth = 64;
/// Rows of A that a product may read, and ignore, beyond those that it is given: two tiles less one.
inline constexpr index_t int8_spare_rows = 31;

/// One strip from the codes of its channels.
struct int8_pack_call {
  const std::int8_t* channels[int8_strip] = {};  ///< [depth] each; null beyond the last channel
  index_t depth = 0;
  std::int8_t* strip = nullptr;     ///< [padded depth / 4][16][4]
  std::int32_t* surplus = nullptr;  ///< [16]
};

/// Rows of activations to codes + 128 and the scale of each row.
struct int8_quantize_call {
  index_t rows = 0;
  index_t depth = 0;
  const float* x = nullptr;
  index_t stride = 0;
  std::uint8_t* codes = nullptr;  ///< rows `padded depth` apart
  float* scales = nullptr;
};

/// C [rows, columns of the strips first_strip .. last_strip) = (A B) scales, then the epilogue.
struct int8_gemm_call {
  index_t rows = 0;
  index_t depth = 0;                        ///< padded
  index_t columns = 0;                      ///< of the whole C
  const std::uint8_t* a = nullptr;        ///< [rows, depth]
  const float* a_scales = nullptr;        ///< [rows]
  const std::int8_t* strips = nullptr;    ///< all of them
  const float* scales = nullptr;          ///< [strips * 16]
  const std::int32_t* surplus = nullptr;  ///< [strips * 16]
  index_t first_strip = 0;
  index_t last_strip = 0;
  float* c = nullptr;  ///< row 0 of these rows, column 0 of the whole C
  index_t c_stride = 0;
  epilogue finish{};
  index_t row = 0;  ///< number of the first row, for `finish`'s matrices
};

/// What one instruction set provides. kernels/cpu/table.hpp makes it from the templates.
struct kernel_table {
  const char* name;    ///< "sse2", "avx2", "avx512", "neon": what ONOMA_FORCE_ARCH says
  index_t vector_width;  ///< floats
  index_t panel_width;   ///< columns of B in a panel
  index_t tile_rows;     ///< rows of A in a tile of `pack_rows`
  index_t row_block;     ///< rows of A that a task of a product takes at best
  index_t panel_block;   ///< panels that a task of a product takes at most
  bool reads_rows;     ///< B may lie row by row as well: then it need not be packed for `gemm_packed`

  // Products. B is packed once and read in panels, whose layout is the table's own affair. They lie
  // one after another: panel p begins at packed_size(depth, p * panel_width), row k of B in it at
  // k * panel_width, so that a part of a panel can be packed alone.
  index_t (*packed_size)(index_t depth, index_t columns);  ///< floats of a packed B
  void (*pack)(const pack_call&);
  index_t (*gemm_scratch)(index_t rows, index_t depth, index_t panels);  ///< bytes of one task, may be 0
  /// Brings `a` into the task's scratch, which then serves any panels. Null: nothing to do.
  void (*gemm_prepare)(const gemm_call&);
  void (*gemm)(const gemm_call&);

  // Gradients of weights: A is packed too, `a` is the whole of it and `row` a multiple of
  // tile_rows. No epilogue.
  index_t (*packed_rows_size)(index_t depth, index_t rows);  ///< floats of a packed A
  void (*pack_rows)(const pack_rows_call&);
  index_t (*gemm_packed_scratch)(index_t rows, index_t depth, index_t panels);  ///< as gemm_scratch
  void (*gemm_packed)(const gemm_call&);

  // Products of 8-bit integers: the layout is the same in every table.
  void (*int8_pack)(const int8_pack_call&);
  void (*int8_quantize)(const int8_quantize_call&);
  void (*int8_gemm)(const int8_gemm_call&);

  /// to [columns] += sum of the rows of from [rows, columns]
  void (*add_rows)(index_t rows, index_t columns, const float* from, index_t stride, float* to);
  /// d [rows, columns] *= function'(pre)
  void (*activation_backward)(activation function, index_t rows, index_t columns, const float* pre,
                              index_t pre_stride, float* d, index_t d_stride);

  void (*gate)(const gate_call&);
  void (*gate_backward)(const gate_backward_call&);
  void (*rotate)(const rotate_call&);

  void (*add_norm)(const add_norm_call&);
  void (*add_norm_backward)(const add_norm_backward_call&);
  void (*add_norm_parameters)(const add_norm_parameters_call&);
  // The same of RMS normalisation.
  void (*add_rms_norm)(const add_norm_call&);
  void (*add_rms_norm_backward)(const add_norm_backward_call&);
  void (*add_rms_norm_parameters)(const add_norm_parameters_call&);
  /// x [rows, columns] = dropout(x); the first element has number `number`, rows follow on.
  void (*dropout)(const dropout_call&, index_t number, index_t rows, index_t columns, float* x,
                  index_t stride);

  // Scratch never shrinks where queries or keys grow.
  index_t (*attention_scratch)(const attention_size&);  ///< floats
  void (*attention)(const attention_call&);
  index_t (*attention_backward_scratch)(const attention_size&);  ///< floats
  void (*attention_backward)(const attention_backward_call&);

  void (*softmax)(const softmax_call&);
  void (*cross_entropy)(const cross_entropy_call&);

  // Spans, one word at a time.
  void (*span_scores)(const span_scores_call&);
  void (*span_scores_backward)(const span_scores_backward_call&);

  // Linear chains. Scratch never shrinks where words or labels grow.
  index_t (*crf_chain_size)(index_t labels);  ///< floats of a prepared chain
  void (*crf_prepare)(const crf_prepare_call&);
  index_t (*crf_scratch)(index_t words, index_t labels);  ///< floats
  void (*crf_sums)(const crf_sums_call&);
  void (*crf_viterbi)(const crf_viterbi_call&);

  void (*embed)(const embed_call&);
  void (*scatter_add)(const scatter_call&);

  /// Sum of squares in double; the order depends on `count` alone.
  double (*sum_of_squares)(index_t count, const float* x);
  /// One update of `count` parameters; sets the gradient to zero.
  void (*adamw)(const adamw_call&, index_t count, float* parameter, float* gradient, float* moment1,
                float* moment2);
};

}  // namespace onoma::inline ONOMA_SEAM
