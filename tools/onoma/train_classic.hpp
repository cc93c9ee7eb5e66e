/// onoma train --classic: a model without a network, in one file.
#pragma once

#include "command.hpp"
#include "corpus.hpp"

#include <onoma/core/types.hpp>

#include <string>
#include <vector>

namespace command {

/// What `onoma train --classic` is told; the last ones are options that it shares with training of encoders.
struct classic_settings {
  std::string train;
  std::vector<std::string> templates;
  std::string gazetteer;
  std::string algorithm = "likelihood";
  double c1 = 0.1;
  double c2 = 0.1;
  onoma::index_t iterations = 0;
  onoma::index_t min_frequency = 1;
  onoma::index_t hash_bits = 0;
  onoma::index_t dev_every = 0;

  const shared_options* shared = nullptr;
  std::string dev;
  std::string test;
  std::string output;
  bool overwrite = false;
  column_options columns;
};

/// --classic and the options that it alone has. `others` are those that it cannot stand beside.
void add_classic(CLI::App& app, classic_settings& s, const std::vector<CLI::Option*>& others);

/// @throws usage_error for an option of the training of encoders.
void check_classic_options(const CLI::App& app);

/// Trains, saves and scores a model; the exit code.
int train_classic(const classic_settings& s, const messages& say);

}  // namespace command
