// Where the loader reads from: the disk, or texts in memory (tests, fuzzing).
// Thread: any.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "conf/units.hpp"

namespace portero::conf {

class FileSource {
 public:
  virtual ~FileSource() = default;
  // Reads a regular file whole. Errors: why not, for people ("no such file").
  virtual Parsed<std::string> read(const std::string& path) const = 0;
  // Paths that match a shell pattern, in byte order.
  virtual std::vector<std::string> glob(const std::string& pattern) const = 0;
};

// Limits: file_bytes_max.
constexpr std::size_t file_bytes_max = 4 * 1024 * 1024;
const FileSource& disk_files();

class MemoryFiles final : public FileSource {
 public:
  explicit MemoryFiles(std::map<std::string, std::string> files) : files_(std::move(files)) {}
  Parsed<std::string> read(const std::string& path) const override;
  std::vector<std::string> glob(const std::string& pattern) const override;

 private:
  std::map<std::string, std::string> files_;
};

// A path as it is meant in `file`: relative to the file's folder unless it is absolute.
std::string resolve_path(std::string_view file, std::string_view path);

}  // namespace portero::conf
