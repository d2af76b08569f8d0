// OpenFile: a file as it was when it was opened: size, time, validators, and the bytes if it is
// small. FileCache: the files that a worker has opened, for a moment: one that is asked for often
// costs no system call. What is older than validity_ms is opened again before it is used; a file
// that is still the same keeps its bytes.
// Thread: the worker's; references are not atomic. Owner: the worker; outlives the handlers.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include <boost/smart_ptr/local_shared_ptr.hpp>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "http/date.hpp"
#include "proxy/media_types.hpp"
#include "proxy/open_below.hpp"

namespace portero::proxy {

struct OpenFile {
  Fd fd;  // closed when `contents` holds everything
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;  // since 1970
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  MediaType type;    // by the name it was opened by
  std::string etag;  // strong, with its quotes
  http::HttpDate last_modified_text{};
  bool has_contents = false;
  std::string contents;

  std::string_view last_modified() const noexcept {
    return {last_modified_text.data(), last_modified_text.size()};
  }
  std::int64_t modified_s() const noexcept { return modified_ns / 1'000'000'000; }
  // Whether both are the same file, unchanged.
  bool is_same(const OpenFile& other) const noexcept {
    return device == other.device && inode == other.inode && size == other.size &&
           modified_ns == other.modified_ns;
  }
};

using FilePointer = boost::local_shared_ptr<OpenFile>;

// Opens a file below `root`, which may itself be reached through symlinks.
// Errors: as open_below().
Result<FilePointer> open_file(const std::string& root, std::string_view path, Symlinks symlinks);

// Limits: entries_max files, contents_bytes_max in memory; answers under way may hold a file
// longer.
class FileCache {
 public:
  static constexpr std::int64_t validity_ms = 1'000;
  static constexpr std::size_t entries_max = 1'024;
  static constexpr std::size_t contents_bytes_max = 32 * 1024 * 1024;
  static constexpr std::size_t file_bytes_max = 256 * 1024;  // larger ones are never in memory

  FileCache() = default;
  FileCache(const FileCache&) = delete;
  FileCache& operator=(const FileCache&) = delete;

  // As open_file(). Failures are remembered only with `absent_too`: for names that the
  // configuration makes, not the client.
  Result<FilePointer> open(const std::string& root, std::string_view path, Symlinks symlinks,
                           bool absent_too = false);
  // Reads a small file into memory, when there is room. One that changes meanwhile is left alone.
  void load(OpenFile& file);

  std::size_t size() const noexcept { return entries_.size(); }
  std::size_t contents_bytes() const noexcept { return contents_bytes_; }

 private:
  struct Entry {
    std::string key;
    FilePointer file;  // null: `failure` instead
    Error failure;
    std::int64_t checked_ms = 0;
  };
  using Entries = std::list<Entry>;  // the last used first

  Result<FilePointer> keep(Entries::iterator at, Result<FilePointer> opened, bool absent_too);
  void replace(Entry& entry, FilePointer file);
  void forget(Entries::iterator at);

  Entries entries_;
  std::unordered_map<std::string_view, Entries::iterator> by_key_;  // views of Entry::key
  std::size_t contents_bytes_ = 0;                                  // of the files in entries_
};

}  // namespace portero::proxy
