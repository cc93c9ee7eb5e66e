/// Places that the command writes to: what is there already is not lost without a word.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/io/atomic_file.hpp>
#include <onoma/io/model_folder.hpp>

#include <filesystem>
#include <string>

namespace command {

/// For a model folder that a subcommand will write at `path`: new, or empty, or `overwrite`.
/// @throws onoma::error (invalid_argument) naming what is there, (io) if it cannot be written.
inline void check_output_folder(const std::filesystem::path& path, bool overwrite) {
  namespace fs = std::filesystem;
  onoma::check_can_save(path);
  std::error_code problem;
  if (overwrite || !fs::is_directory(path, problem) || fs::is_empty(path, problem)) return;
  std::string names;
  int count = 0;
  for (const auto& entry : fs::directory_iterator(path, problem)) {
    if (++count <= 3) names += (count == 1 ? "" : ", ") + entry.path().filename().string();
  }
  if (count > 3) names += " and " + std::to_string(count - 3) + " more";
  onoma::fail(onoma::error_code::invalid_argument, "saving model folder " + path.string(),
              "a new or empty folder, or --overwrite", names);
}

/// For a file that will be written at the end of a long run. Leaves nothing behind.
/// @throws onoma::error (invalid_argument, io, file_not_found).
inline void check_output_file(const std::filesystem::path& path) {
  std::error_code problem;
  if (std::filesystem::is_directory(path, problem)) {
    onoma::fail(onoma::error_code::invalid_argument, "writing " + path.string(), "a file", "a folder");
  }
  // To open a pipe and close it would end its reader.
  if (std::filesystem::exists(path, problem) && !std::filesystem::is_regular_file(path, problem)) return;
  // Made and thrown away: its folder exists and can be written to.
  const onoma::atomic_file probe(path);
}

}  // namespace command
