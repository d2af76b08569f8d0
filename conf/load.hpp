// Loads a site file with its imports and env_files: the way from text to Config.
//
//   LoadResult result = load_config("/etc/portero/portero.yaml", {process_environment()});
//   for (const Problem& problem : result.errors) fmt::print("{}\n", format_problem(problem));
//
// Thread: any; reads files, so not a worker's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "conf/config.hpp"
#include "conf/environment.hpp"
#include "conf/files.hpp"
#include "conf/problem.hpp"

namespace portero::conf {

struct LoadOptions {
  Variables environment;              // what ${NAME} is looked up in first
  const FileSource* files = nullptr;  // the disk by default; borrowed for the call
};

struct LoadResult {
  std::shared_ptr<const Config> config;  // nullptr when there are errors
  std::vector<Problem> errors;           // all of them, by place
  std::vector<Problem> warnings;
  // Every file that was looked at, also after an error, so that a watcher sees it being mended.
  std::vector<std::string> files;
};

// Never throws. Limits: import_files_max files, import_depth_max imports within each other,
// file_bytes_max for each.
constexpr std::size_t import_files_max = 1'000;
constexpr std::size_t import_depth_max = 16;
LoadResult load_config(const std::string& path, const LoadOptions& options);

}  // namespace portero::conf
